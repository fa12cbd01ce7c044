"""Outcome: how planning ended, said so that a clinician can act on it, and what the search may claim."""

from dataclasses import replace

from anatomy.scene import Scene
from planner.candidates import Chosen
from planner.implant_records import DoseReport, NeedleSet, Robustness
from planner.kernels.line import LUNG
from planner.records import Aim, Blocker, NearestMiss, Outcome, Path, SearchReport, Status
from planner.request import Request
from planner.search import Found
from planner.wording import claims_of, message_of


def search_report(scene: Scene, found: Found, chosen: Chosen, lung_bound_mm: float) -> SearchReport:
    """What was searched, and what that proves."""
    report = SearchReport(
        lines_tested=found.lines_tested,
        cells_proved_blocked=found.cells_proved_blocked,
        safe_lines=found.safe_lines,
        covering_radius_mm=found.radius_mm,
        complete=found.complete,
        lung_bound_mm=lung_bound_mm,
        least_lung_mm=_least_lung_mm(found, chosen),
        claims=(),
    )
    return replace(report, claims=claims_of(report, scene.surface_slack_mm, scene.missing))


def _least_lung_mm(found: Found, chosen: Chosen) -> float | None:
    tested = found.lines.quantities[:, LUNG]
    lengths = [p.lung_length_mm for p in chosen.paths] + ([float(tested.min())] if len(tested) else [])
    return min(lengths, default=None)


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
    found = Status.PLANNED if met else Status.GOALS_NOT_MET
    unfinished = Status.NO_PATH if report.complete else Status.TIMED_OUT
    planned = any(path.aim is not Aim.GIVEN for path in paths) or (dose is not None and met)
    status = found if planned else unfinished
    skin, missing = scene.skin_source, scene.missing
    message = message_of(request, report, paths, blockers, miss, skin, missing, needle_set, dose, robustness)
    return Outcome(status, message)
