"""Claims on what the axis runs through between entry and tip: structures, lung, pleura and fissures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from anatomy.structures import Role
from planner.records.paths import LOBE_RUN_MM, PLEURAL_GAP_MM, PLEURAL_RUN_MM, Path
from planner.verify.claims import Claims, first_agreeing
from planner.verify.geometry.axis_spans import AxisSpans
from planner.verify.geometry.spans import NONE, Spans, between, merged, total, union
from planner.verify.needle.examined_axis import ExaminedAxis
from planner.verify.tolerances import LENGTH_MM, SLIVER_MM


def check_passage(claims: Claims, examined: ExaminedAxis, path: Path) -> None:
    """What a path states of the structures that it crosses."""
    _check_order(claims, examined, path)
    for name in sorted({s.name for s in examined.scene.structures} | {c.structure for c in path.crosses}):
        _check_crossing(claims, examined, path, name)
    check_lung(claims, examined, path.lung_length_mm)
    _check_counts(claims, examined, path)


def _check_order(claims: Claims, examined: ExaminedAxis, path: Path) -> None:
    depths = [c.from_mm for c in path.crosses]
    in_order = all(a <= b + LENGTH_MM for a, b in pairwise(depths))
    claims.holds(
        "structures are crossed in the order given",
        examined.subject,
        ", ".join(c.structure for c in path.crosses),
        "in order" if in_order else "out of order",
        in_order,
    )


def _check_crossing(claims: Claims, examined: ExaminedAxis, path: Path, name: str) -> None:
    """The depths at which the path crosses a structure, as claimed and as recomputed. [mm from the entry]"""
    claimed = np.array([(c.from_mm, c.to_mm) for c in path.crosses if c.structure == name], float)
    claimed = claimed.reshape(-1, 2)
    recomputed = first_agreeing(_depths(examined, name), lambda depths: _agree(claimed, depths))
    if len(claimed) or recomputed is None or len(recomputed):
        claims.holds(
            f"crosses {name}",
            examined.subject,
            _written(claimed),
            "the surface is open or ambiguous here" if recomputed is None else _written(recomputed),
            _agree(claimed, recomputed),
        )


def _depths(examined: ExaminedAxis, name: str) -> Iterator[Spans | None]:
    """Readings of where a structure is crossed, as depths from the entry. [mm] The skin is not listed."""
    structure = next((s for s in examined.scene.structures if s.name == name), None)
    if structure is None or structure.role is Role.SKIN:
        yield NONE
        return
    for axis_spans in examined.readings():
        spans = axis_spans.crossing(structure)
        yield None if spans is None else (examined.axis.length_mm - spans)[::-1, ::-1]


def _agree(claimed: Spans, recomputed: Spans | None) -> bool:
    """Whether two sets of depths are equal, except for slivers and rounding."""
    if recomputed is None:
        return False
    # Sorting must not repair a claim whose depths run backwards.
    if (claimed[:, 1] < claimed[:, 0]).any():
        return False
    one, two = _without_slivers(claimed), _without_slivers(recomputed)
    return len(one) == len(two) and bool((np.abs(one - two) <= LENGTH_MM).all())


def _without_slivers(spans: Spans) -> Spans:
    joined = merged(spans)
    return np.asarray(joined[joined[:, 1] - joined[:, 0] > SLIVER_MM])


def _written(spans: Spans) -> str:
    return ", ".join(f"{a:.6f} to {b:.6f} mm" for a, b in spans) or "nowhere"


def check_lung(claims: Claims, examined: ExaminedAxis, claimed_mm: float) -> None:
    """The length of lung that the axis is claimed to cross, without the target. [mm]"""
    subject = examined.subject
    lengths = (total(axis_spans.lung) for axis_spans in examined.readings())
    claims.any_of("lung length", subject, claimed_mm, lengths, LENGTH_MM)
    # The voxels of a lung that was given as a surface reach beyond it, so the surface can only contain less.
    if any(s.surface is not None for s in examined.scene.of_role(Role.LUNG)):
        inside = (axis_spans.lung_in_surfaces for axis_spans in examined.readings())
        least = (np.inf if spans is None else total(spans) for spans in inside)
        least_mm = first_agreeing(least, lambda length: length <= claimed_mm + LENGTH_MM)
        claims.at_most("lung length in surfaces", subject, claimed_mm, least_mm, LENGTH_MM)


def _check_counts(claims: Claims, examined: ExaminedAxis, path: Path) -> None:
    """Both counts must come from the same reading: otherwise one could contradict the other."""
    claimed = (path.pleural_punctures, path.fissures_crossed)
    recomputed = first_agreeing(_counts(examined), lambda counts: counts == claimed)
    claims.equal("pleural punctures", examined.subject, float(claimed[0]), float(recomputed[0]), 0.0)
    claims.equal("fissures crossed", examined.subject, float(claimed[1]), float(recomputed[1]), 0.0)


@dataclass(frozen=True)
class CountingRules:
    """The limits that decide what is counted, in one of several equally valid readings. [mm]

    `shortest` stretch that is lung, least `run` that is a puncture, least `gap` between two punctures, least
    stretch of a `lobe`, and `tie`: middles that are this near are the same.
    """

    shortest: float
    run: float
    gap: float
    lobe: float
    tie: float


def _readings() -> Iterator[CountingRules]:
    """The plan's limits, with rounding to either side of each."""
    below = (-LENGTH_MM, -2.0 * LENGTH_MM, 0.0)
    ties = (0.1 * LENGTH_MM, 10.0 * LENGTH_MM)
    for shortest, tie, run, gap, lobe in product((SLIVER_MM, LENGTH_MM), ties, below, below, below):
        yield CountingRules(shortest, PLEURAL_RUN_MM + run, PLEURAL_GAP_MM + gap, LOBE_RUN_MM + lobe, tie)


def _counts(examined: ExaminedAxis) -> Iterator[tuple[int, int]]:
    for axis_spans in examined.readings():
        for rules in _readings():
            yield punctures_and_fissures(axis_spans, rules)


def punctures_and_fissures(axis_spans: AxisSpans, rules: CountingRules) -> tuple[int, int]:
    """Number of visits to the lung, each with one pleural puncture, and of changes of lobe within them.

    A visit is a sequence of lung stretches whose gaps are narrow or lie in voids of the lung. It consists of
    the runs that are long enough, and shorter ones are ignored. Where no run is long enough, the stretches of
    the sequence together must be.
    """
    lobes = {name: _longer(spans, rules.shortest) for name, spans in axis_spans.lungs}
    lung = union(lobes.values())
    visits: list[Spans] = []
    for cluster in _together(axis_spans, lung, rules):
        runs = _longer(cluster, rules.run)
        if len(runs):
            visits += _together(axis_spans, runs, rules)
        elif total(cluster) >= rules.run:
            visits.append(cluster)
    least = 1 if total(lung) >= rules.run else 0
    ways = [(float(visit[0, 0]), float(visit[-1, 1])) for visit in visits]
    return max(least, len(visits)), sum(_fissures(lobes, way, rules) for way in ways)


def _longer(spans: Spans, least_mm: float) -> Spans:
    return np.asarray(spans[spans[:, 1] - spans[:, 0] >= least_mm])


def _together(axis_spans: AxisSpans, runs: Spans, rules: CountingRules) -> list[Spans]:
    """Groups of runs that follow one another across narrow gaps or voids."""
    cuts = [
        n + 1
        for n, (one, two) in enumerate(pairwise(runs))
        if two[0] - one[1] >= rules.gap and not axis_spans.in_void(one[1], two[0])
    ]
    return [part for part in np.split(runs, cuts) if len(part)]


def _fissures(lobes: Mapping[str, Spans], way: tuple[float, float], rules: CountingRules) -> int:
    """Changes of lobe between the first and the last place of a visit. A stretch within a longer one that has
    the same middle makes no change."""
    stretches: list[tuple[float, float, str]] = []
    for name, spans in lobes.items():
        in_visit = between(spans, *way)
        for first, last in merged(in_visit, rules.lobe):
            if total(between(in_visit, first, last)) >= rules.lobe:
                stretches.append((0.5 * (first + last), last - first, name))
    outer = sorted(
        (middle, name)
        for middle, length, name in stretches
        if not any(abs(m - middle) <= rules.tie and around > length for m, around, _ in stretches)
    )
    return sum(one != two for (_, one), (_, two) in pairwise(outer))
