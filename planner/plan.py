"""The plan, in clinical order: paths first, then the implant that is prescribed."""

from dataclasses import dataclass, replace

from anatomy.patient.notes import skin_text
from anatomy.scene import Scene
from planner import SOFTWARE
from planner.dose.ptv import beyond_view_mm
from planner.dose.report import dose_report
from planner.implant.implant import implant
from planner.implant.needles_in_place import refuse_impossible
from planner.implant.set_report import set_report
from planner.paths.no_path.blockers import blocked_by
from planner.paths.no_path.nearest_miss import nearest_miss
from planner.paths.no_path.relaxations import relaxations
from planner.paths.ranking import score_named
from planner.paths.search_report import search_report
from planner.paths.select import SelectedPaths, select_paths
from planner.records.defaults import resolved
from planner.records.dose import DoseReport
from planner.records.needle_set import NeedleSet
from planner.records.paths import Path
from planner.records.plan import NO_OUTCOME, SCHEMA, Plan, PlanningResult
from planner.records.progress import GoOn, Phase, PlanProgress, Progress, always
from planner.records.request.request import Request
from planner.records.robustness import Robustness
from planner.records.wording.implant import notes_on_ptv
from planner.records.wording.outcome import outcome
from planner.robustness.robustness import robustness
from planner.search.kernels.search_fields import SearchFields
from planner.search.lung_bound import lung_bound_mm
from planner.search.scene_fields import search_fields
from planner.search.search import search
from planner.verify import verify

IMPLANT_PHASES = (Phase.NEEDLES, Phase.DOSE)
"""Phases that only a plan with a prescription has."""


@dataclass(frozen=True)
class PlannedImplant:
    """An implant as the plan states it. Empty if none is prescribed, or if no path leads to the target and
    nothing is in place already."""

    needles: tuple[Path, ...] = ()
    needle_set: NeedleSet | None = None
    dose: DoseReport | None = None
    robustness: Robustness | None = None


def plan(scene: Scene, request: Request, go_on: GoOn = always) -> PlanningResult:
    """The protocol: search, select paths, explain what blocks, plan the implant, verify every claim.

    `go_on` receives the progress of the whole plan, which never decreases, and ends the search early by
    returning False. Raises RequestError for a request that cannot be fulfilled, and whatever `go_on` raises.
    """
    # The request: complete, and possible in this scene.
    for name in (*request.ranking, *request.weights):
        score_named(name)
    request = resolved(scene, request)
    refuse_impossible(scene, request)
    go_on = PlanProgress(
        go_on, [p for p in Phase if request.prescription is not None or p not in IMPLANT_PHASES]
    )

    # Search: every safe straight line to the target, to the requested covering radius.
    go_on(Progress(Phase.FIELDS, 0.0, "distance fields"))
    fields = search_fields(scene, request)
    go_on(Progress(Phase.SEARCH, 0.0, ""))
    result = search(fields, request.search.covering_radius_mm, go_on)

    # Paths: the best distinct ones, measured and ranked.
    go_on(Progress(Phase.POLISH, 0.0, "windows and distinct paths"))
    selected = select_paths(scene, fields, result, request)

    # Explanation: what blocks the other directions, and if no path is safe, what would open one. A search
    # that ended early does not show that there is no path.
    go_on(Progress(Phase.EXPLAIN, 0.0, "what blocks the way"))
    blockers = blocked_by(scene, request.clearances, fields)
    miss = None
    if result.complete and not selected.paths:
        changes = relaxations(scene, request, fields, blockers, go_on)
        miss = nearest_miss(scene, request.needle_assembly, request.clearances, fields, changes)
    report = search_report(scene, result, selected, lung_bound_mm(fields, result.blocks, result.alive))

    # Implant: needles, seeds, dose and robustness.
    planned = _planned_implant(scene, request, fields, selected, go_on)
    paths = (*selected.paths, *planned.needles)

    # Plan: everything above in one record with its outcome, in which every claim is verified by other
    # mathematics.
    without_outcome = Plan(
        schema=SCHEMA,
        software=SOFTWARE,
        frame="LPS",
        inputs=scene.inputs,
        request=request,
        roles=tuple((s.name, str(s.role)) for s in scene.structures),
        skin_structures=scene.skin_structures,
        skin_source=skin_text(scene.skin_structures),
        missing_structures=scene.missing,
        notes=(*scene.notes, *_notes(scene, request)),
        outcome=NO_OUTCOME,
        search=report,
        paths=paths,
        windows=selected.windows,
        blocked_by=blockers,
        nearest_miss=miss,
        needle_set=planned.needle_set,
        dose=planned.dose,
        robustness=planned.robustness,
        verification=None,
    )
    unverified = replace(without_outcome, outcome=outcome(without_outcome))
    go_on(Progress(Phase.VERIFY, 0.0, "every claim"))
    verified = replace(unverified, verification=verify(unverified, scene))
    go_on(Progress(Phase.VERIFY, 1.0, "every claim"))
    return PlanningResult(verified, selected.access)


def _notes(scene: Scene, request: Request) -> tuple[str, ...]:
    return (
        () if request.prescription is None else notes_on_ptv(beyond_view_mm(scene, request.target.margin_mm))
    )


def _planned_implant(
    scene: Scene, request: Request, fields: SearchFields, selected: SelectedPaths, go_on: GoOn
) -> PlannedImplant:
    """The implant that the request prescribes. Its needles are ranked after the paths to the target. Needles
    and seeds already in place are reported even if no path leads to the target."""
    prescription, set_request = request.prescription, request.needle_set
    if prescription is None or not (selected.paths or set_request.given_needles or set_request.given_seeds):
        return PlannedImplant()
    go_on(Progress(Phase.NEEDLES, 0.0, "with their seeds"))
    result = implant(scene, request, prescription, fields, go_on)
    if result.chosen is None:
        return PlannedImplant()
    go_on(Progress(Phase.DOSE, 0.0, ""))
    seeds_in_place = set_request.given_seeds
    dose = dose_report(scene, prescription, result.ptv, result.dose, result.seeds(seeds_in_place))
    needle_set = set_report(scene, request, prescription, result, result.chosen, dose)
    placement = None
    # If no seed is left to place, there is no placement error.
    if any(needle.seeds for needle in result.needles):
        placement = robustness(
            scene,
            result.needles,
            seeds_in_place,
            result.ptv,
            result.dose,
            sampling=request.robustness,
            prescription=prescription,
            needle_radius_mm=request.needle.radius_mm,
            random_seed=request.random_seed,
        )
    ranked = len(selected.paths)
    needles = tuple(replace(path, rank=ranked + path.rank) for path in result.needles)
    return PlannedImplant(needles, needle_set, dose, placement)
