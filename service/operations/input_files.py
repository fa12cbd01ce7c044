"""Input files: a case as files or as the built-in thorax, and requests and plans read from files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from anatomy.errors import ReadError
from anatomy.readers.mesh.mesh_axes import MeshAxes
from planner.errors import RequestError
from planner.records.plan import Plan
from planner.records.request.request import Request
from service.host.errors import BadFile
from service.operations.case import BUILTINS, Case
from service.schemas.json.strict import NotJson, Refused, read_model
from service.schemas.plan.file import MAX_PLAN_BYTES, PlanFile, read_plan
from service.schemas.request.model import MAX_REQUEST_BYTES, PlanRequest

BUILTIN_PREFIX = "builtin:"


FILE_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".stl", ".obj", ".ply")
"""A --target with one of these endings is a file, even if it does not exist."""


Content = TypeVar("Content")


@dataclass(frozen=True)
class Input:
    """The meaning of the input arguments: a case, and the targets that were given as names rather than
    files."""

    case: Case
    target_names: tuple[str, ...]

    def refuse_other_targets(self, plan: Plan) -> None:
        """Raise RequestError for a named target that is not one of the plan's."""
        targets = plan.request.target.structures
        for name in self.target_names:
            if name not in targets:
                raise RequestError(
                    "--target", f"{name!r} is not the plan's", f"Its targets: {', '.join(targets)}."
                )

    def with_targets(self, request: Request) -> Request:
        """The request with the named targets. Raises RequestError if the request names others."""
        if self.target_names and self.case.targets:
            raise RequestError(
                "--target", "both names and files are given", "Give all as names, or all as files."
            )
        names, requested = self.target_names, request.target.structures
        if requested and names and set(requested) != set(names):
            raise RequestError("--target", "the request names another", "Leave it out of one of the two.")
        return replace(request, target=replace(request.target, structures=names)) if names else request


def input_from(
    input_name: str,
    names: Path | None,
    targets: Sequence[str],
    ct: Path | None,
    mesh_axes: MeshAxes | None,
) -> Input:
    """The meaning of an input with its companions. Raises ReadError for a file that does not exist."""
    source: Path | str = Path(input_name)
    if input_name.startswith(BUILTIN_PREFIX):
        source = input_name.removeprefix(BUILTIN_PREFIX)
    files = tuple(t for t in targets if is_target_file(t))
    for path in [source, names, ct, *map(Path, files)]:
        if isinstance(path, Path) and not path.exists():
            built_in = path == source and input_name in BUILTINS
            remedy = f"Did you mean {BUILTIN_PREFIX}{input_name}?" if built_in else "Check the path."
            raise ReadError(str(path), "there is no such file or folder", remedy)
    names_in_input = tuple(t for t in targets if t not in files)
    return Input(Case(source, names, tuple(map(Path, files)), ct, mesh_axes), names_in_input)


def files_of(case: Case, *others: Path | None) -> list[Path]:
    """Every file or folder that is read: those of the case, and others."""
    files = [case.source, case.names, *case.targets, case.ct, *others]
    return [path for path in files if isinstance(path, Path)]


def is_target_file(target: str) -> bool:
    """Whether a target is given as a file, existing or not, rather than by name."""
    return Path(target).exists() or "/" in target or target.lower().endswith(FILE_SUFFIXES)


def plan_file(path: Path) -> PlanFile:
    """A plan's file. Raises BadFile."""
    return read_file(path, read_plan, MAX_PLAN_BYTES)


def request_file(path: Path | None) -> PlanRequest:
    """The request in a file; without a file, the request with all defaults. Raises BadFile."""
    return PlanRequest() if path is None else read_file(path, _request, MAX_REQUEST_BYTES)


def _request(data: bytes) -> PlanRequest:
    return read_model(PlanRequest, data, MAX_REQUEST_BYTES)


def read_file(path: Path, read: Callable[[bytes], Content], most: int) -> Content:
    """What `read` makes of a JSON file; it gets at most one byte more than `most`. Raises BadFile."""
    with path.open("rb") as file:
        data = file.read(most + 1)
    try:
        return read(data)
    except (NotJson, Refused) as error:
        raise BadFile(f"{path.name}: {error}") from None
