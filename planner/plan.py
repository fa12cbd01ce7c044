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
from planner.paths.skin_access import SkinAccess
from planner.records.defaults import resolved
from planner.records.dose import DoseReport
from planner.records.needle_set import NeedleSet
from planner.records.paths import Path
from planner.records.plan import SCHEMA, Plan
from planner.records.progress import GoOn, Phase, PlanProgress, Progress, always
from planner.records.request import Request
from planner.records.robustness import Robustness
from planner.records.wording.implant import notes_on_ptv
from planner.records.wording.outcome import outcome
from planner.robustness.robustness import robustness
from planner.search.kernels.search_fields import SearchFields
from planner.search.lung_bound import lung_bound_mm
from planner.search.scene_fields import search_fields
from planner.search.search import search
from planner.verify import verify

OF_IMPLANT = (Phase.NEEDLES, Phase.DOSE)
"""Phases of a plan with a prescription only."""


@dataclass(frozen=True, eq=False)
class PlanningResult:
    """A plan, verified, and the skin access map that it was chosen from."""

    plan: Plan
    access: SkinAccess


@dataclass(frozen=True)
class ImplantSummary:
    """An implant as the plan states it; empty where none is prescribed, or nothing leads to the target and
    nothing is in already."""

    needles: tuple[Path, ...] = ()
    needle_set: NeedleSet | None = None
    dose: DoseReport | None = None
    robustness: Robustness | None = None


def plan(scene: Scene, request: Request, go_on: GoOn = always) -> PlanningResult:
    """Every safe path that matters, ranked, with seeds, verified.

    `go_on` is told how far the whole has come, never less than before, and ends the search early by
    answering False. Raises RequestError for a request that cannot be kept, and whatever `go_on` raises.
    """
    for name in (*request.ranking, *request.weights):
        score_named(name)
    request = resolved(scene, request)
    refuse_impossible(scene, request)
    go_on = PlanProgress(go_on, [p for p in Phase if request.prescription is not None or p not in OF_IMPLANT])
    go_on(Progress(Phase.FIELDS, 0.0, "distance fields"))
    fields = search_fields(scene, request)
    go_on(Progress(Phase.SEARCH, 0.0, ""))
    result = search(fields, request.search.covering_radius_mm, go_on)
    go_on(Progress(Phase.POLISH, 0.0, "windows and distinct paths"))
    selected = select_paths(scene, fields, result, request)
    go_on(Progress(Phase.EXPLAIN, 0.0, "what blocks the way"))
    blockers = blocked_by(scene, request, fields)
    # Of a search that ended early it is not known that there is no path.
    miss = None
    if result.complete and not selected.paths:
        changes = relaxations(scene, request, fields, blockers, go_on)
        miss = nearest_miss(scene, request, fields, changes)
    report = search_report(scene, result, selected, lung_bound_mm(fields, result.blocks, result.alive))
    summary = _implant_summary(scene, request, fields, selected, go_on)
    paths = (*selected.paths, *summary.needles)
    unverified = Plan(
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
        outcome=outcome(
            scene,
            request,
            report,
            paths,
            blockers,
            miss,
            summary.needle_set,
            summary.dose,
            summary.robustness,
        ),
        search=report,
        paths=paths,
        windows=selected.windows,
        blocked_by=blockers,
        nearest_miss=miss,
        needle_set=summary.needle_set,
        dose=summary.dose,
        robustness=summary.robustness,
        verification=None,
    )
    go_on(Progress(Phase.VERIFY, 0.0, "every claim"))
    verified = replace(unverified, verification=verify(unverified, scene))
    go_on(Progress(Phase.VERIFY, 1.0, "every claim"))
    return PlanningResult(verified, selected.access)


def _notes(scene: Scene, request: Request) -> tuple[str, ...]:
    return (
        () if request.prescription is None else notes_on_ptv(beyond_view_mm(scene, request.target.margin_mm))
    )


def _implant_summary(
    scene: Scene, request: Request, fields: SearchFields, selected: SelectedPaths, go_on: GoOn
) -> ImplantSummary:
    """The implant that the request prescribes. Needles are ranked after the paths to the target. What is in
    the patient already is told of though nothing leads to the target."""
    prescription, asked = request.prescription, request.needle_set
    if prescription is None or not (selected.paths or asked.given_needles or asked.given_seeds):
        return ImplantSummary()
    go_on(Progress(Phase.NEEDLES, 0.0, "with their seeds"))
    made = implant(scene, request, prescription, fields, go_on)
    if made.chosen is None:
        return ImplantSummary()
    go_on(Progress(Phase.DOSE, 0.0, ""))
    given = request.needle_set.given_seeds
    dose = dose_report(scene, prescription, made.ptv, made.dose, made.seeds(given))
    needle_set = set_report(scene, request, prescription, made, made.chosen, dose)
    # Where no seed is left to place, nothing can go wrong.
    left = any(needle.seeds for needle in made.needles)
    risk = robustness(scene, request, made.needles, given, made.ptv, made.dose) if left else None
    ranked = len(selected.paths)
    needles = tuple(replace(path, rank=ranked + path.rank) for path in made.needles)
    return ImplantSummary(needles, needle_set, dose, risk)
