"""Follow-up as text: an evaluation after the implant, and a replanning while needles are in."""

from planner.records.dose import MEDIUM
from planner.records.followup import Evaluation, NeedleChange, Replanned
from planner.records.wording.number_text import counted
from service.cli.text.dose import volume_line
from service.cli.text.plan import plan_text, verification_text
from service.cli.text.table import columns

COLD_SPOTS_SHOWN = 5
"""Number of cold spots shown, the largest; the file has all of them."""


def evaluation_text(evaluation: Evaluation) -> str:
    """The result compared with the plan, the cold spots, and the supplement."""
    achieved = evaluation.achieved
    blocks = [
        f"{evaluation.outcome.status}: {evaluation.outcome.message}",
        f"{counted(achieved.seeds_found, 'seed')} found, of which outside the PTV: "
        f"{achieved.seeds_outside_ptv}.",
    ]
    if evaluation.planned is not None:
        blocks.append("Planned:  " + volume_line("PTV", evaluation.planned))
    blocks.append("Achieved: " + volume_line("PTV", achieved.target))
    blocks.append("Achieved: " + volume_line("GTV", achieved.gtv))
    if achieved.cold_spots:
        rows = [("cold spot cc", "around mm", "least Gy", "at mm")]
        for spot in achieved.cold_spots[:COLD_SPOTS_SHOWN]:
            rows.append(
                (
                    f"{spot.volume_cc:.2f}",
                    _point(spot.centre_mm),
                    f"{spot.least_dose_gy:.1f}",
                    _point(spot.least_at_mm),
                )
            )
        blocks.append(columns(rows))
    blocks.append(f"All doses are {MEDIUM}.")
    if evaluation.verification is not None:
        blocks.append(verification_text(evaluation.verification))
    text = "\n".join(blocks) + "\n"
    if evaluation.supplement is None:
        return text + "Nothing needs to be added.\n"
    return text + "\nSupplement:\n" + plan_text(evaluation.supplement)


def replanned_text(replanned: Replanned) -> str:
    """What changed, then the plan."""
    changes = replanned.changes
    blocks = list(changes.sentences)
    before = _seeds(changes.seeds_before, changes.given_seeds_before)
    after = _seeds(changes.seeds_after, changes.given_seeds_after)
    blocks.append(
        f"Before: {before}, D90 {changes.d90_before_gy:.1f} Gy, V100 {changes.v100_before_percent:.1f} %. "
        f"After: {after}, D90 {changes.d90_after_gy:.1f} Gy, V100 {changes.v100_after_percent:.1f} %."
    )
    if changes.needles:
        rows = [("before", "after", "entry moved mm", "tip moved mm", "seeds before", "seeds after")]
        blocks.append(columns([*rows, *(_change(needle) for needle in changes.needles)]))
    if replanned.verification is not None:
        blocks.append(verification_text(replanned.verification))
    return "\n".join(blocks) + "\n\n" + plan_text(replanned.plan)


def _seeds(on_needles: int, in_place: int) -> str:
    return counted(on_needles, "seed") + (f" on needles and {in_place} in already" if in_place else "")


def _change(needle: NeedleChange) -> tuple[str, ...]:
    return (
        needle.before_id or "-",
        needle.after_id or "-",
        _moved(needle.entry_moved_mm),
        _moved(needle.tip_moved_mm),
        str(needle.seeds_before),
        str(needle.seeds_after),
    )


def _moved(distance_mm: float | None) -> str:
    return "-" if distance_mm is None else f"{distance_mm:.1f}"


def _point(point_mm: tuple[float, float, float]) -> str:
    return "(" + ", ".join(f"{x:.1f}" for x in point_mm) + ")"
