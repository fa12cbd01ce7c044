"""Implant as text, the most important first: given needles and seeds that are too near, goals, exceeded
limits, robustness; then needles, seeds and doses."""

from planner.records.needle_set import NeedleSet
from planner.records.paths import CLEARANCE_CAP_MM, Aim, Path
from planner.records.plan import Plan
from planner.records.robustness import Robustness, Spread
from planner.records.wording.lung import at_least, totals
from planner.records.wording.number_text import counted, mm_text, sure_percent, tenths
from planner.records.wording.set_claims import given_twice, nearest_first, too_near_text
from service.cli.text.dose import (
    bed_lines,
    exceeded_lines,
    goals_table,
    medium_line,
    organs_table,
    volume_line,
)
from service.cli.text.table import columns

NEEDLE_HEADINGS = (
    *("insert", "needle", "approach", "entry mm (L P S)", "axial deg", "craniocaudal deg", "length mm"),
    *("lung mm", "punctures", "clearance mm", "nearest", "seeds", "at depths mm"),
)

TOUCHES_SHOWN = 3
"""Number of structures shown, those most likely to be touched."""


def implant_lines(plan: Plan) -> list[str]:
    """The needle set and dose of a plan, in blocks with empty lines between; no lines if the plan has
    none."""
    blocks = [_too_near(plan), _treated(plan), _worst(plan), _set(plan), _organs(plan)]
    lines = [line for block in blocks if block for line in ("", *block)]
    return [*lines, ""] if lines else []


def _too_near(plan: Plan) -> list[str]:
    """Everything that given needles are too near to, and given seeds that may be the same seed."""
    too_near = () if plan.needle_set is None else plan.needle_set.given_too_near
    lines = [f"{too_near_text(one)}." for one in nearest_first(too_near)]
    return [f"TOO NEAR: {text}" for text in (*lines, *given_twice(plan.needle_set))]


def _treated(plan: Plan) -> list[str]:
    """Goals, and the dose in PTV and GTV."""
    if plan.dose is None:
        return []
    dose = plan.dose
    return [goals_table(dose.goals), volume_line("PTV", dose.target), volume_line("GTV", dose.gtv)]


def _set(plan: Plan) -> list[str]:
    """The needles in order of insertion, their total cost, and what is proved about it."""
    needles = plan.needle_set
    if needles is None:
        return []
    missing = plan.missing_structures
    table = [_needles(needles, plan.paths, missing)] if needles.order else []
    sums = _totals(needles, plan.request.needle_set.puncture_cost_mm, missing)
    return [*table, *sums, *needles.claims]


def _organs(plan: Plan) -> list[str]:
    """The organs with the most dose, their limits, and what the dose leaves out."""
    if plan.dose is None:
        return []
    table = [organs_table(plan.dose.organs)] if plan.dose.organs else []
    return [*table, *bed_lines(plan.dose.bed), medium_line(plan.dose)]


def _worst(plan: Plan) -> list[str]:
    """Exceeded organ limits, and the effect of placement errors."""
    over = [] if plan.dose is None else exceeded_lines(plan.dose.bed)
    return [*over, *([] if plan.robustness is None else _robustness(plan.robustness, _in_already(plan)))]


def clearance_text(path: Path) -> str:
    """The clearance in mm, as far as it was searched."""
    clearance_mm = path.clearance_mm
    return f"{clearance_mm:.1f}" if clearance_mm < CLEARANCE_CAP_MM else f"over {CLEARANCE_CAP_MM:.0f}"


def _needles(needles: NeedleSet, paths: tuple[Path, ...], missing: tuple[str, ...]) -> str:
    """One row for each needle, in order of insertion: entry and angles, depth, cost, the nearest structure,
    and the depths of its seeds, distal first."""
    by_id = {path.id: path for path in paths}
    rows = [NEEDLE_HEADINGS]
    for n, path_id in enumerate(needles.order, start=1):
        path = by_id[path_id]
        depths = [seed.depth_mm for seed in needles.seeds if seed.path_id == path_id]
        rows.append(
            (
                str(n),
                path_id,
                path.approach,
                " ".join(f"{x:.1f}" for x in path.entry_mm),
                f"{path.axial_angle_deg:.1f}",
                f"{path.craniocaudal_angle_deg:.1f}",
                f"{path.length_mm:.1f}",
                at_least(tenths(path.lung_length_mm), missing),
                at_least(str(path.pleural_punctures), missing),
                clearance_text(path),
                path.nearest_structure,
                str(len(depths)),
                " ".join(f"{depth:.1f}" for depth in depths if depth is not None),
            )
        )
    return columns(rows)


def _totals(needles: NeedleSet, puncture_cost_mm: float, missing: tuple[str, ...]) -> list[str]:
    in_place = sum(seed.path_id is None for seed in needles.seeds)
    seeds = counted(len(needles.seeds), "seed") + (f" ({in_place} of them given)" if in_place else "")
    punctures = counted(needles.pleural_punctures, "pleural puncture")
    lung = totals(mm_text(needles.lung_length_mm), punctures, missing)
    few = "no bound" if needles.seeds_bound is None else counted(needles.seeds_bound, "seed")
    return [
        f"Needle set: {lung} (counted as {puncture_cost_mm:g} mm each), "
        f"{counted(len(needles.path_ids), 'needle')}, {seeds}.",
        f"Objective {needles.objective:.1f} mm, bound {needles.bound:.1f} mm, gap {100 * needles.gap:.1f} %; "
        f"relaxed, {few} on these needles.",
    ]


def _spread(spread: Spread, unit: str) -> str:
    return f"{spread.p50:.1f} {unit} ({spread.p5:.1f} to {spread.p95:.1f})"


def _in_already(plan: Plan) -> set[str]:
    """Needles that were given."""
    return {path.id for path in plan.paths if path.aim is Aim.GIVEN}


def _robustness(robustness: Robustness, in_already: set[str]) -> list[str]:
    """Two lines: the effect of placement errors on the dose, and on the needles that are still to be
    inserted."""
    first = (
        f"Placed by {robustness.placement}, {counted(robustness.samples, 'sample')} of its published errors: "
        f"D90 {_spread(robustness.d90_gy, 'Gy')}, V100 {_spread(robustness.v100_percent, '%')} as median and "
        f"5th to 95th percentile of the first {robustness.dose_samples}; D90 and V100 reached in "
        f"{sure_percent(robustness.goals_met_share)} % of those."
    )
    needles = [needle for needle in robustness.needles if needle.path_id not in in_already]
    if not needles:
        return [first]
    tightest = min(needles, key=lambda n: (n.tolerance_deg, n.path_id))
    touches = sorted(
        (-touch.chance, touch.structure, needle.path_id) for needle in needles for touch in needle.touches
    )[:TOUCHES_SHOWN]
    likely = ", ".join(f"{structure} {-100 * chance:.3g} % ({path})" for chance, structure, path in touches)
    second = f"Least tolerance: {tightest.path_id}, {tightest.tolerance_deg:.1f} deg about its entry."
    return [first, f"{second} Most likely touched: {likely or 'nothing'}."]
