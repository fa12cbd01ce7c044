"""Goals of a prescription, and the values that the dose reaches."""

from collections.abc import Sequence

from planner.records.dose import GoalResult, OrganDose, TargetDose, VolumeDose
from planner.records.organ_goals import GOAL_VOLUMES_CC, goal_dose_gy
from planner.records.request.prescription import Prescription


def goal_results(
    prescription: Prescription, target: VolumeDose | TargetDose, organs: Sequence[OrganDose]
) -> tuple[GoalResult, ...]:
    """Every goal, and whether it is met."""
    goals = prescription.goals
    results = [
        _goal("PTV", "d90_gy", True, prescription.d90_goal_gy, target.d90_gy),
        _goal("PTV", "v100_percent", True, goals.v100_percent, target.v100_percent),
        _goal("PTV", "v150_percent", False, goals.v150_percent, target.v150_percent),
        _goal("PTV", "v200_percent", False, goals.v200_percent, target.v200_percent),
    ]
    by_name = {o.structure: o for o in organs}
    for name, goal in sorted(prescription.organ_goals.items()):
        for field in GOAL_VOLUMES_CC:
            bound = getattr(goal, field)
            if bound is not None:
                results.append(_goal(name, field, False, bound, goal_dose_gy(by_name[name], field)))
    return tuple(results)


def _goal(structure: str, name: str, at_least: bool, bound: float, reached: float) -> GoalResult:
    met = reached >= bound if at_least else reached <= bound
    return GoalResult(structure, name, at_least, float(bound), float(reached), bool(met))
