"""Outcome: how planning ended, said so that a clinician can act on it, and what the search may claim."""

from anatomy.scene import Scene
from planner.records.dose import DoseReport
from planner.records.needle_set import NeedleSet
from planner.records.paths import Aim, Path
from planner.records.plan import Outcome, Status
from planner.records.request.request import Request
from planner.records.robustness import Robustness
from planner.records.search import Blocker, NearestMiss, SearchReport
from planner.records.wording.outcome_message import message_of


def outcome(
    scene: Scene,
    request: Request,
    report: SearchReport,
    paths: tuple[Path, ...],
    blockers: tuple[Blocker, ...],
    miss: NearestMiss | None,
    needle_set: NeedleSet | None,
    dose: DoseReport | None,
    robustness: Robustness | None,
) -> Outcome:
    """The status and its sentence. Needles that are in already are no path found: what they do not reach, no
    path does."""
    met = request.prescription is None or (dose is not None and all(goal.met for goal in dose.goals))
    by_goals = Status.PLANNED if met else Status.GOALS_NOT_MET
    unfinished = Status.NO_PATH if report.complete else Status.TIMED_OUT
    planned = any(path.aim is not Aim.GIVEN for path in paths) or (dose is not None and met)
    status = by_goals if planned else unfinished
    skin, missing = scene.skin_structures, scene.missing
    message = message_of(request, report, paths, blockers, miss, skin, missing, needle_set, dose, robustness)
    return Outcome(status, message)
