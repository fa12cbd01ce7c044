"""Claims on what the axis runs through between entry and tip: structures, lung, pleura and fissures."""

from collections.abc import Iterator
from itertools import pairwise, product

import numpy as np

from anatomy.structures import Role
from planner.records import PLEURAL_GAP_MM, Path
from planner.verify.claims import Claims, first_agreeing
from planner.verify.sight import Sight
from planner.verify.spans import NONE, Spans, merged, total
from planner.verify.tolerances import LENGTH_MM, SLIVER_MM
from planner.verify.trial import Trial


def check_passage(claims: Claims, trial: Trial, path: Path) -> None:
    """What a path states of its passage."""
    _check_order(claims, trial, path)
    for name in sorted({s.name for s in trial.scene.structures} | {c.structure for c in path.crosses}):
        _check_crossing(claims, trial, path, name)
    check_lung(claims, trial, path.lung_length_mm)
    _check_counts(claims, trial, path)


def _check_order(claims: Claims, trial: Trial, path: Path) -> None:
    depths = [c.from_mm for c in path.crosses]
    in_order = all(a <= b + LENGTH_MM for a, b in pairwise(depths))
    claims.holds(
        "structures are crossed in the order given",
        trial.subject,
        ", ".join(c.structure for c in path.crosses),
        "in order" if in_order else "out of order",
        in_order,
    )


def _check_crossing(claims: Claims, trial: Trial, path: Path, name: str) -> None:
    """One structure's depths from the entry, in the claim and as found."""
    claimed = np.array([(c.from_mm, c.to_mm) for c in path.crosses if c.structure == name], float)
    claimed = claimed.reshape(-1, 2)
    found = first_agreeing(_depths(trial, name), lambda depths: _agree(claimed, depths))
    if len(claimed) or found is None or len(found):
        claims.holds(
            f"crosses {name}",
            trial.subject,
            _written(claimed),
            "the surface is open or ambiguous here" if found is None else _written(found),
            _agree(claimed, found),
        )


def _depths(trial: Trial, name: str) -> Iterator[Spans | None]:
    """Readings of where a structure is crossed, as depths from the entry. The skin itself is not listed."""
    structure = next((s for s in trial.scene.structures if s.name == name), None)
    if structure is None or structure.role is Role.SKIN:
        yield NONE
        return
    for sight in trial.sights():
        spans = sight.crossing(structure)
        yield None if spans is None else (trial.axis.length_mm - spans)[::-1, ::-1]


def _agree(claimed: Spans, found: Spans | None) -> bool:
    """Whether two sets of depths are the same but for slivers and rounding."""
    if found is None:
        return False
    # A claim that runs backwards is not mended by sorting.
    if (claimed[:, 1] < claimed[:, 0]).any():
        return False
    one, two = _without_slivers(claimed), _without_slivers(found)
    return len(one) == len(two) and bool((np.abs(one - two) <= LENGTH_MM).all())


def _without_slivers(spans: Spans) -> Spans:
    whole = merged(spans)
    return np.asarray(whole[whole[:, 1] - whole[:, 0] > SLIVER_MM])


def _written(spans: Spans) -> str:
    return ", ".join(f"{a:.6f} to {b:.6f} mm" for a, b in spans) or "nowhere"


def check_lung(claims: Claims, trial: Trial, claimed_mm: float) -> None:
    """The lung that an axis is said to run through, the target left out. [mm]"""
    subject = trial.subject
    lengths = (total(sight.lung) for sight in trial.sights())
    claims.any_of("lung length", subject, claimed_mm, lengths, LENGTH_MM)
    # Voxels of a lung that came as a surface reach beyond it, so the surface can only hold less.
    if any(s.surface is not None for s in trial.scene.of_role(Role.LUNG)):
        inside = (sight.lung_in_surfaces for sight in trial.sights())
        least = (np.inf if spans is None else total(spans) for spans in inside)
        found = first_agreeing(least, lambda length: length <= claimed_mm + LENGTH_MM)
        claims.at_most("lung length in surfaces", subject, claimed_mm, found, LENGTH_MM)


def _check_counts(claims: Claims, trial: Trial, path: Path) -> None:
    """Both counts of one reading: a reading of its own for each would let one contradict the other."""
    claimed = (path.pleural_punctures, path.fissures_crossed)
    found = first_agreeing(_counts(trial), lambda counts: counts == claimed)
    claims.equal("pleural punctures", trial.subject, float(claimed[0]), float(found[0]), 0.0)
    claims.equal("fissures crossed", trial.subject, float(claimed[1]), float(found[1]), 0.0)


def _counts(trial: Trial) -> Iterator[tuple[int, int]]:
    shortest_mm = (SLIVER_MM, LENGTH_MM)
    widest_mm = (PLEURAL_GAP_MM, PLEURAL_GAP_MM - LENGTH_MM, PLEURAL_GAP_MM + LENGTH_MM)
    for sight in trial.sights():
        for shortest, gap in product(shortest_mm, widest_mm):
            yield _punctures_and_fissures(sight, shortest, gap)


def _punctures_and_fissures(sight: Sight, shortest_mm: float, gap_mm: float) -> tuple[int, int]:
    """Runs of lung that lie `gap` or more apart, and changes of lobe between runs that lie closer."""
    runs = sorted(
        (float(first), float(last), name)
        for name, spans in sight.lungs
        for first, last in spans
        if last - first > shortest_mm
    )
    apart = [b[0] - a[1] >= gap_mm for a, b in pairwise(runs)]
    fissures = sum(
        not far and one[2] != two[2] for far, (one, two) in zip(apart, pairwise(runs), strict=True)
    )
    return sum(apart) + (1 if runs else 0), fissures
