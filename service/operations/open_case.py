"""Open a case: read its input, and make the scene that a request describes.

Case --read--> Segmentation --roles, targets, pose--> Scene
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from anatomy.errors import Companion, ReadError, StructureError
from anatomy.names.did_you_mean import did_you_mean
from anatomy.plausibility.sizes import refuse_unlikely_voxels
from anatomy.readers.read import read
from anatomy.scene import PoseInput, Scene, scene
from anatomy.structures import Role, Segmentation
from anatomy.thorax import thorax
from planner.errors import RequestError
from planner.records.request.request import Request
from planner.records.search import TABLE
from service.host.damaged_file import refuse_damaged, refuse_others
from service.operations.case import Case

_BUILTINS: dict[str, Callable[[], Segmentation]] = {"thorax": thorax}
"""How each of `BUILTINS` is made."""


def open_case(case: Case) -> tuple[Segmentation, tuple[str, ...]]:
    """Read a case: its structures, and the names of those that came as target files.

    Raises AnatomyError for anything that cannot be read, for files given along with a built-in, and
    DamagedFile for a kept file that is not what it was.
    """
    refuse_damaged(case.kept)
    if isinstance(case.source, Path):
        segmentation = read(
            case.source, names=case.names, targets=case.targets, ct=case.ct, mesh_axes=case.mesh_axes
        )
        if case.kept:
            refuse_others(case.kept, segmentation[0].inputs)
        return segmentation
    if case.source not in _BUILTINS:
        raise StructureError(
            "builtin", f"{case.source!r} is none", did_you_mean(case.source, sorted(_BUILTINS))
        )
    for path in (case.names, *case.targets, case.ct):
        if path is not None:
            raise ReadError(
                path.name,
                f"the built-in {case.source} takes no files: it has its own structures, names and targets",
                "Leave the file out, or give an input of your own.",
            )
    if case.mesh_axes is not None:
        raise ReadError(
            "mesh_axes",
            f"the built-in {case.source} has no surface, which takes them",
            ("Leave ", Companion.MESH_AXES, " out."),
        )
    return _BUILTINS[case.source](), ()


def open_scene(case: Case, request: Request) -> tuple[Scene, Request]:
    """The scene that a request describes, and the request with the names of its targets filled in.

    Without a name in the request, the target is what was given as target files, else every structure whose
    role is target. Raises AnatomyError if case and request do not fit together.
    """
    return scene_of(*open_case(case), request)


def scene_of(
    segmentation: Segmentation, target_files: tuple[str, ...], request: Request
) -> tuple[Scene, Request]:
    """As `open_scene`, for a segmentation that was read already."""
    names = request.target.structures or target_files
    pose = request.pose
    pose_input = PoseInput(pose.position, pose.rotation_deg, pose.table, pose.bore_diameter_mm)
    case_scene = scene(segmentation, names, request.roles, pose_input)
    refuse_unlikely_voxels(case_scene.structures, case_scene.grid)
    _refuse_unknown_names(request, sorted({*segmentation.names(), *case_scene.names()}))
    names = names or tuple(s.name for s in case_scene.of_role(Role.TARGET))
    return case_scene, replace(request, target=replace(request.target, structures=names))


def _refuse_unknown_names(request: Request, structures: Sequence[str]) -> None:
    """A clearance, or a structure to cut back, with a misspelt name would silently not apply."""
    known_names = ("default", TABLE, *structures)
    for name in request.clearance_mm:
        if name not in known_names:
            raise RequestError(
                ("clearance_mm", name), "there is no such structure", did_you_mean(name, known_names)
            )
    for name in request.target.cut_back:
        if name not in structures:
            raise RequestError(
                ("target", "cut_back"), f"there is no structure {name!r}", did_you_mean(name, structures)
            )
