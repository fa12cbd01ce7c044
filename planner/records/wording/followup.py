"""Wording of evaluations and replannings, from their records alone. Verification writes it again and
compares."""

from collections.abc import Sequence

from planner.records.followup import MIN_SPOT_CC, Achieved, NeedleChange
from planner.records.paths import Aim
from planner.records.plan import Outcome, Plan, Status
from planner.records.wording.goals import goal_text
from planner.records.wording.implant import harm_of, limited_by, worst_first
from planner.records.wording.number_text import counted

NOT_COMPARED = "Organ limits were not compared with the dose of the seeds found."
"""Said if no supplement was planned: only the dose report of a plan compares limits."""


def implant_outcome(achieved: Achieved, supplement: Plan | None) -> Outcome:
    """The status and sentence on seeds found after an implant: what they reach, and what to do."""
    target = achieved.target
    missed = [goal for goal in achieved.goals if not goal.met]
    reached = f"D90 {target.d90_gy:.1f} Gy, V100 {target.v100_percent:.1f} %"
    pairs = achieved.seed_pairs_near
    lie = "lies" if pairs == 1 else "lie"
    # A seed counted twice makes every dose too high.
    twice = (
        f"{counted(pairs, 'pair')} of seeds {lie} nearer to each other than a seed is long: check that none "
        "was found twice. "
        if pairs
        else ""
    )
    if not missed:
        return Outcome(Status.PLANNED, f"{twice}The implant meets its goals: {reached}. {NOT_COMPARED}")
    # Goals that limit harm come first.
    goals_text = "; ".join(goal_text(goal) for goal in sorted(missed, key=lambda goal: goal.at_least))
    if supplement is None:
        hot = f"{twice}The implant is hotter than asked for: {goals_text}. {reached}."
        return Outcome(
            Status.GOALS_NOT_MET,
            f"{hot} Seeds cannot be taken out, and none are proposed. {NOT_COMPARED}",
        )
    spots = len(achieved.cold_spots)
    cold = counted(spots, "cold spot") if spots else f"No cold spot of {MIN_SPOT_CC:g} cc or more"
    unmet = f"{twice}Goals not met: {goals_text}. {cold}."
    needles, dose = supplement.needle_set, supplement.dose
    added = 0 if needles is None else sum(1 for s in needles.seeds if s.path_id is not None)
    if needles is None or dose is None:
        # A plan with given seeds always has both; without them, a file is refused.
        return Outcome(Status.GOALS_NOT_MET, f"{unmet} {NOT_COMPARED}")
    if added == 0:
        none = limited_by(supplement.request, needles, [goal for goal in dose.goals if not goal.met])
        if not supplement.search.complete:
            none.append("The search for tracks to add seeds ended early: allow more time.")
        # If nothing is added, the supplement's dose is that of the seeds found.
        return Outcome(Status.GOALS_NOT_MET, " ".join([*harm_of(dose, None), unmet, *none]))
    after = (
        f"{counted(added, 'seed')} on {counted(len(needles.path_ids), 'needle')} "
        f"{'brings' if added == 1 else 'bring'} D90 to {dose.target.d90_gy:.1f} Gy and V100 to "
        f"{dose.target.v100_percent:.1f} %"
    )
    unmet_goals = [goal_text(goal) for goal in dose.goals if not goal.met]
    ends = f"; still not met: {'; '.join(unmet_goals)}." if unmet_goals else ": then all goals are met."
    status = Status.GOALS_NOT_MET if unmet_goals else Status.PLANNED
    # These words separate the effect of the added seeds from that of the seeds found.
    harm = harm_of(dose, supplement.robustness, when="With these added: ")
    return Outcome(status, " ".join([f"{unmet} {after}{ends}", *harm]))


def change_sentences(
    changes: Sequence[NeedleChange], after: Plan, d90_before_gy: float, d90_after_gy: float
) -> tuple[str, ...]:
    """The worst news of the new plan, what replanning changed, and which measured needles are of no use."""
    kept_count = sum(c.before_id is not None and c.after_id is not None for c in changes)
    new_count = sum(c.before_id is None for c in changes)
    dropped_count = sum(c.after_id is None for c in changes)
    idle = [p.id for p in after.paths if p.aim is Aim.GIVEN and not p.seeds]
    sentences = [
        *worst_first(after),
        f"{counted(kept_count, 'needle')} kept or moved, {new_count} new, {dropped_count} no longer planned.",
        f"D90 {d90_before_gy:.1f} Gy before, {d90_after_gy:.1f} Gy after.",
    ]
    if idle:
        carry, them = ("carries", "it") if len(idle) == 1 else ("carry", "them")
        sentences.append(
            f"{', '.join(idle)}, as measured, {carry} no seed: along {them} none can stand in the PTV, or "
            "none is needed. Where a needle no longer reaches it, draw it back and drive it again."
        )
    return tuple(sentences)
