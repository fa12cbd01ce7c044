"""Claims on what the axis runs through between entry and tip: structures, lung, pleura and fissures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from anatomy.structures import Role
from planner.records.paths import LOBE_RUN_MM, PLEURAL_GAP_MM, PLEURAL_RUN_MM, Path
from planner.verify.claims import Claims, first_agreeing
from planner.verify.geometry.axis_spans import Sight
from planner.verify.geometry.spans import NONE, Spans, between, merged, total, union
from planner.verify.needle.examined_axis import Trial
from planner.verify.tolerances import LENGTH_MM, SLIVER_MM


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


@dataclass(frozen=True)
class Rules:
    """What counts as lung, run, gap and stretch of a lobe, and how near middles are one, in one of several
    equally true readings. [mm]"""

    shortest: float
    run: float
    gap: float
    lobe: float
    tie: float


def _readings() -> Iterator[Rules]:
    """The plan's rules, where rounding decides to either side of each."""
    below = (-LENGTH_MM, -2.0 * LENGTH_MM, 0.0)
    ties = (0.1 * LENGTH_MM, 10.0 * LENGTH_MM)
    for shortest, tie, run, gap, lobe in product((SLIVER_MM, LENGTH_MM), ties, below, below, below):
        yield Rules(shortest, PLEURAL_RUN_MM + run, PLEURAL_GAP_MM + gap, LOBE_RUN_MM + lobe, tie)


def _counts(trial: Trial) -> Iterator[tuple[int, int]]:
    for sight in trial.sights():
        for rules in _readings():
            yield punctures_and_fissures(sight, rules)


def punctures_and_fissures(sight: Sight, rules: Rules) -> tuple[int, int]:
    """Visits to the lung, each through the pleura once, and changes of lobe in them.

    A visit is lung with gaps that are narrow or in voids of the lung. Where runs are long enough, it goes
    from one to the next, and what is shorter tells nothing; where none is, all that lies close must be.
    """
    lobes = {name: _longer(spans, rules.shortest) for name, spans in sight.lungs}
    lung = union(lobes.values())
    visits: list[Spans] = []
    for cluster in _together(sight, lung, rules):
        runs = _longer(cluster, rules.run)
        if len(runs):
            visits += _together(sight, runs, rules)
        elif total(cluster) >= rules.run:
            visits.append(cluster)
    least = 1 if total(lung) >= rules.run else 0
    ways = [(float(visit[0, 0]), float(visit[-1, 1])) for visit in visits]
    return max(least, len(visits)), sum(_fissures(lobes, way, rules) for way in ways)


def _longer(spans: Spans, least_mm: float) -> Spans:
    return np.asarray(spans[spans[:, 1] - spans[:, 0] >= least_mm])


def _together(sight: Sight, runs: Spans, rules: Rules) -> list[Spans]:
    """Runs, cut into those that follow one another through narrow gaps or voids."""
    cuts = [
        n + 1
        for n, (one, two) in enumerate(pairwise(runs))
        if two[0] - one[1] >= rules.gap and not sight.in_void(one[1], two[0])
    ]
    return [part for part in np.split(runs, cuts) if len(part)]


def _fissures(lobes: Mapping[str, Spans], way: tuple[float, float], rules: Rules) -> int:
    """Changes of lobe on the way from the first to the last place of a visit. A stretch with another of one
    middle around it makes none."""
    found: list[tuple[float, float, str]] = []
    for name, spans in lobes.items():
        held = between(spans, *way)
        for first, last in merged(held, rules.lobe):
            if total(between(held, first, last)) >= rules.lobe:
                found.append((0.5 * (first + last), last - first, name))
    outer = sorted(
        (middle, name)
        for middle, length, name in found
        if not any(abs(m - middle) <= rules.tie and around > length for m, around, _ in found)
    )
    return sum(one != two for (_, one), (_, two) in pairwise(outer))
