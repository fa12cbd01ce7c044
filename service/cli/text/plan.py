"""Plan as text for a terminal."""

from anatomy.plausibility.expected_structures import LUNG_NAMES
from planner.records.paths import Aim, Path
from planner.records.plan import Plan
from planner.records.search import Constraint, NearestMiss
from planner.records.verification import Verification
from planner.records.wording.lung import a_path, at_least
from planner.records.wording.number_text import counted, mm_text, share_text, tenths
from service.cli.text.implant import clearance_text, implant_lines
from service.cli.text.table import columns

HEADINGS = (
    "rank",
    "window",
    "approach",
    "lung mm",
    "punctures",
    "fissures",
    "clearance mm",
    "nearest",
    "length mm",
    "in target mm",
    "axial deg",
    "craniocaudal deg",
    "seeds",
)


def plan_text(plan: Plan) -> str:
    """Outcome, ranked paths, the implant, what was searched, and the assumptions."""
    missing = plan.missing_structures
    blocks = [f"{plan.outcome.status}: {plan.outcome.message}"]
    ranked = [path for path in plan.paths if path.aim is Aim.TARGET]
    if ranked:
        names = {window.id: window.name for window in plan.windows}
        blocks.append(columns([HEADINGS, *(_row(p, names.get(p.window, p.window), missing) for p in ranked)]))
    blocks.extend(implant_lines(plan))
    if plan.nearest_miss is not None:
        blocks.extend(_miss(plan.nearest_miss, missing))
    if plan.blocked_by:
        shares = [f"{b.structure} {share_text(b.share)}" for b in plan.blocked_by[:6]]
        blocks.append("Blocked by: " + ", ".join(shares))
    search = plan.search
    extent = "complete" if search.complete else "not complete"
    blocks.append(
        f"Searched {search.lines_tested:,} lines, covering radius {search.covering_radius_mm:g} mm, {extent}."
    )
    blocks.extend(search.claims)
    blocks.append(plan.skin_source)
    organs = [name for name in missing if name not in LUNG_NAMES]
    if organs:
        blocks.append("Not in the input, so not kept clear of: " + ", ".join(organs))
    blocks.extend(plan.notes)
    if plan.verification is not None:
        blocks.append(verification_text(plan.verification))
    return "\n".join(blocks) + "\n"


def verification_text(verification: Verification) -> str:
    """Every claim that failed, and a summary."""
    failed = [c for c in verification.checks if not c.passed]
    lines = [
        f"FAILED {c.name}, {c.subject}: claimed {c.claimed}, recomputed {c.recomputed}, "
        f"tolerance {c.tolerance:g}"
        for c in failed
    ]
    result = "every claim holds" if verification.passed else f"{len(failed)} failed"
    return "\n".join([*lines, f"Verification: {counted(len(verification.checks), 'check')}, {result}."])


def _miss(miss: NearestMiss, missing: tuple[str, ...]) -> list[str]:
    """The nearest miss, and every change that would open a path."""
    entry, tip = (", ".join(f"{x:.1f}" for x in place) for place in (miss.entry_mm, miss.tip_mm))
    short = f"{mm_text(miss.missing_mm)} short of what was asked ({miss.structure})"
    narrow = miss.constraint is Constraint.COVERING_RADIUS
    how = "safe where it is and not when displaced" if narrow else short
    lines = [f"Nearest line: from ({entry}) to ({tip}), {how}."]
    lines += [
        f"{r.setting} {r.to_mm:g} instead of {r.from_mm:g} would open {a_path(r.lung_length_mm, missing)}."
        for r in miss.relaxations
    ]
    return lines


def _row(path: Path, window: str, missing: tuple[str, ...]) -> tuple[str, ...]:
    return (
        str(path.rank),
        window,
        path.approach,
        at_least(tenths(path.lung_length_mm), missing),
        at_least(str(path.pleural_punctures), missing),
        at_least(str(path.fissures_crossed), missing),
        clearance_text(path),
        path.nearest_structure,
        f"{path.length_mm:.1f}",
        f"{path.target_chord_mm:.1f}",
        f"{path.axial_angle_deg:.1f}",
        f"{path.craniocaudal_angle_deg:.1f}",
        str(len(path.seeds)),
    )
