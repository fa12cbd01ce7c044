"""Work: from a case's files to a scene, a plan, a verification. Command line and REST take this one way.

Case --read--> Segmentation --roles, targets, pose--> Scene --plan--> Planning
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from anatomy.errors import ReadError, StructureError
from anatomy.read import read
from anatomy.roles import is_known, role_of
from anatomy.scene import PoseInput, Scene, notes_on_names, scene
from anatomy.structures import Role, Segmentation
from anatomy.suggest import nearest
from anatomy.thorax import thorax
from planner.plan import Planning, plan
from planner.progress import GoOn, Progress
from planner.records import TABLE, Plan, Verification
from planner.request import Request, RequestError
from planner.verify import verify
from service.again import same_again, why_not_again
from service.clock import go_on_until
from service.given import refuse_left_out

BUILTINS: dict[str, Callable[[], Segmentation]] = {"thorax": thorax}
"""Cases that need no file."""


@dataclass(frozen=True)
class Case:
    """Where a case's input lies: a file or folder with its companions, or the name of a built-in."""

    source: Path | str
    names: Path | None = None
    targets: tuple[Path, ...] = ()
    ct: Path | None = None


@dataclass(frozen=True, eq=False)
class Planned:
    """A planning, and the scene it was made for."""

    scene: Scene
    planning: Planning

    @property
    def plan(self) -> Plan:
        """The plan, verified."""
        return self.planning.plan


class Unverified(Exception):
    """A plan did not pass its own verification: a fault of this software, so the plan does not leave it."""


def open_case(case: Case) -> tuple[Segmentation, tuple[str, ...]]:
    """Read a case: its structures, and the names of those that came as target files.

    Raises AnatomyError for anything that cannot be read, and for files given along with a built-in.
    """
    if isinstance(case.source, Path):
        return read(case.source, names=case.names, targets=case.targets, ct=case.ct)
    if case.source not in BUILTINS:
        raise StructureError("builtin", f"{case.source!r} is none", nearest(case.source, sorted(BUILTINS)))
    for given in (case.names, *case.targets, case.ct):
        if given is not None:
            raise ReadError(
                given.name,
                f"the built-in {case.source} takes no files: it has its own structures, names and targets",
                "Leave the file out, or give an input of your own.",
            )
    return BUILTINS[case.source](), ()


def open_scene(case: Case, request: Request) -> tuple[Scene, Request]:
    """The scene that a request means, and the request with its target's names filled in.

    Without a name in the request, the target is what came as target files, else every structure whose role
    is target. Raises AnatomyError where case and request do not fit together.
    """
    return _scene_of(*open_case(case), request)


def _scene_of(
    segmentation: Segmentation, target_files: tuple[str, ...], request: Request
) -> tuple[Scene, Request]:
    names = request.target.structures or target_files
    pose = request.pose
    asked = PoseInput(pose.position, pose.rotation_deg, pose.table, pose.bore_diameter_mm)
    made = scene(segmentation, names, request.roles, asked)
    _refuse_unknown_clearances(request, segmentation.names())
    names = names or tuple(s.name for s in made.of_role(Role.TARGET))
    return made, replace(request, target=replace(request.target, structures=names))


def plan_case(
    case: Case,
    request: Request,
    report: Callable[[Progress], None],
    cancelled: Callable[[], bool] = lambda: False,
) -> Planned:
    """Read, set the scene, plan and verify. The request's time limit counts from when planning begins.

    Raises AnatomyError for bad input, Cancelled once `cancelled` says so, and Unverified.
    """
    made, resolved = open_scene(case, request)
    go_on: GoOn = go_on_until(resolved.search.time_limit_s, report, cancelled)
    planning = plan(made, resolved, go_on)
    _refuse_unverified(planning.plan)
    return Planned(made, planning)


def check_case(case: Case, claimed: Plan, report: Callable[[Progress], None], *, again: bool) -> Verification:
    """Rebuild a plan's scene from the case and the plan's own request, and recompute every claim. If all
    hold and `again` is asked for, make the plan again where that can be done, and compare.

    Raises AnatomyError where the case lacks a file that the plan was made from, or what its request names.
    """
    segmentation, target_files = open_case(case)
    refuse_left_out(claimed.inputs, segmentation.inputs, claimed.request.target.structures)
    made, _ = _scene_of(segmentation, target_files, claimed.request)
    verification = verify(claimed, made)
    if not (again and verification.passed and why_not_again(claimed) is None):
        return verification
    # A search that was complete is so without a clock.
    made_again = plan(made, _with_time(claimed.request, None), go_on_until(None, report)).plan
    same = same_again(claimed, replace(made_again, request=_with_time(made_again.request, claimed.request)))
    return Verification(all(c.passed for c in same), (*verification.checks, *same))


def _with_time(request: Request, limit_of: Request | None) -> Request:
    limit = None if limit_of is None else limit_of.search.time_limit_s
    return replace(request, search=replace(request.search, time_limit_s=limit))


def describe_case(case: Case) -> dict[str, Any]:
    """What a case holds, as JSON values: grid, structures with the roles their names imply, targets, inputs,
    and notes on structures that are empty or not known.

    Raises AnatomyError for anything that cannot be read.
    """
    segmentation, targets = open_case(case)
    grid = segmentation.grid
    return {
        "grid": {"shape": list(grid.shape), "spacing_mm": [round(float(s), 6) for s in grid.spacing_mm]},
        "structures": [
            {
                "name": s.name,
                "role": str(s.role or role_of(s.name)),
                "known_name": is_known(s.name),
                "volume_mm3": round(s.mask.count * grid.voxel_volume_mm3, 3),
            }
            for s in segmentation.structures
        ],
        "targets": list(targets),
        "notes": list(notes_on_names(segmentation, {})),
        "inputs": [{"name": i.name, "sha256": i.sha256} for i in segmentation.inputs],
    }


def _refuse_unknown_clearances(request: Request, known: Sequence[str]) -> None:
    """A clearance for a misspelt name would be a clearance that is not kept."""
    for name in request.clearance_mm:
        if name not in ("default", TABLE, *known):
            raise RequestError(
                f"clearance_mm/{name}",
                "there is no such structure",
                nearest(name, ["default", TABLE, *known]),
            )


def _refuse_unverified(made: Plan) -> None:
    verification = made.verification
    if verification is None:
        raise Unverified("The plan was not verified.")
    if not verification.passed:
        failed = [f"{c.name} of {c.subject}" for c in verification.checks if not c.passed]
        raise Unverified(f"The plan failed its verification: {', '.join(failed[:10])}.")
