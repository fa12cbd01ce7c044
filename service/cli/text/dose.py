"""Dose as text: goals, treated volumes, organs, biologically effective dose, and the medium of the dose."""

from planner.records.dose import (
    BedReport,
    DoseReport,
    GoalResult,
    OrganDose,
    TargetDose,
    VolumeDose,
    hottest_gy,
)
from planner.records.wording.number_text import decimals_apart
from planner.records.wording.organ_limits import exceeded, exceeded_text
from service.cli.text.table import columns

ORGANS_SHOWN = 6
"""Number of organs shown, those with the most dose; the plan's file has all of them."""

_UNITS = {"_gy": "Gy", "_percent": "%"}


def goals_table(goals: tuple[GoalResult, ...]) -> str:
    """Every goal: wanted, reached, met."""
    rows = [("goal", "of", "wanted", "reached", "met")]
    for goal in goals:
        name, unit = quantity(goal.name)
        sense = "at least" if goal.at_least else "at most"
        decimals = decimals_apart(goal.reached, goal.wanted, 1)
        rows.append(
            (
                name,
                goal.structure,
                f"{sense} {goal.wanted:.{decimals}f} {unit}".rstrip(),
                f"{goal.reached:.{decimals}f} {unit}".rstrip(),
                "yes" if goal.met else "NO",
            )
        )
    return columns(rows)


def quantity(name: str) -> tuple[str, str]:
    """The usual name of a dose-volume quantity, and its unit: d0_1cc_gy is D0.1cc in Gy."""
    stem = next((name.removesuffix(end) for end in _UNITS if name.endswith(end)), name)
    unit = next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")
    return (stem[:1].upper() + stem[1:].replace("_", "."), unit) if unit else (name, "")


def volume_line(name: str, dose: TargetDose | VolumeDose) -> str:
    """A treated volume in one line, with the indices if they are given."""
    line = (
        f"{name} {dose.volume_cc:.1f} cc: D90 {dose.d90_gy:.1f} Gy, D100 {dose.d100_gy:.1f} Gy, "
        f"V100 {dose.v100_percent:.1f} %, V150 {dose.v150_percent:.1f} %, V200 {dose.v200_percent:.1f} %"
    )
    if isinstance(dose, TargetDose):
        line += f", CI {dose.ci:.2f}, EI {dose.ei:.2f}, HI {'-' if dose.hi is None else f'{dose.hi:.2f}'}"
    return line


def organs_table(organs: tuple[OrganDose, ...]) -> str:
    """The organs with the most dose, the hottest first."""
    hottest = sorted(organs, key=lambda o: (-hottest_gy(o), o.structure))[:ORGANS_SHOWN]
    rows = [("organ", "D0.1cc Gy", "D1cc Gy", "D2cc Gy")]
    rows += [(o.structure, _dose(o.d0_1cc_gy), _dose(o.d1cc_gy), _dose(o.d2cc_gy)) for o in hottest]
    return columns(rows)


def exceeded_lines(bed: BedReport) -> list[str]:
    """Every exceeded organ limit, the largest excess first, with what is uncertain about it."""
    return [f"EXCEEDED {exceeded_text(limit)}." for limit in exceeded(bed.limits)]


def bed_lines(bed: BedReport) -> list[str]:
    """Effective dose of the target, and how many organ limits are exceeded, met, or cannot be compared."""
    over = sum(limit.met is False for limit in bed.limits)
    unknown = sum(limit.met is None for limit in bed.limits)
    kept_count = len(bed.limits) - over - unknown
    before = f", {bed.external_target_gy:.1f} Gy of it given before" if bed.external_target_gy > 0.0 else ""
    return [
        f"BED of the PTV: D90 {bed.target_d90_gy:.1f} Gy{before} (EQD2 {bed.target_d90_eqd2_gy:.1f} Gy).",
        f"Organ limits, as BED: {over} exceeded, {kept_count} met, {unknown} cannot be compared.",
    ]


def medium_line(dose: DoseReport) -> str:
    """The medium of the dose, and what the model leaves out."""
    medium = dose.medium[:1].upper() + dose.medium[1:]
    return (
        f"{medium}: seeds {dose.source}, {dose.air_kerma_strength_u:.3f} U each. "
        "Beside lung the true dose can differ by up to a quarter."
    )


def _dose(dose_gy: float | None) -> str:
    return "-" if dose_gy is None else f"{dose_gy:.1f}"
