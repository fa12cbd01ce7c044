"""Cohort: cases as the command line gives them, each with a name and its request without the ranking.

A case is an input as `seedpath plan` takes it, a built-in's name, or a line of a table of cases (.csv), with
the columns

    input      the file or folder; the only required column
    case       its name; by default the part of its path that differs from the others
    target     names of structures or files, separated by semicolons
    names, ct  as for `seedpath plan`
    request    a request of its own, because patients differ
    mesh_axes  lps or ras, for surfaces whose files do not state their axes

Paths in a table are relative to the table. The options give the values that a line leaves out.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from anatomy.errors import MAX_FIELD_LENGTH, shortened
from anatomy.names.did_you_mean import did_you_mean
from anatomy.readers.file_names import NIFTI_SUFFIXES, is_surface, organ_name
from anatomy.readers.mesh.mesh_axes import SEND_AXES, MeshAxes, parse_axes
from planner.errors import RequestError
from planner.records.request.request import Request
from service.host.errors import BadFile
from service.operations.case import BUILTINS, Case
from service.operations.input_files import BUILTIN_PREFIX, input_from, is_target_file, request_file

TABLE_SUFFIX = ".csv"
COLUMNS = ("case", "input", "names", "target", "ct", "request", "mesh_axes")

MAX_TABLE_BYTES = 10_000_000
"""Longer than a cohort of ten thousand cases."""


@dataclass(frozen=True)
class Member:
    """One case of a cohort: its name in the table, and its request without the ranking."""

    name: str
    case: Case
    request: Request
    request_file: Path | None


@dataclass(frozen=True)
class Shared:
    """The options, which hold for every case that states nothing else."""

    names: Path | None = None
    targets: tuple[str, ...] = ()
    request: Path | None = None
    mesh_axes: MeshAxes | None = None


@dataclass(frozen=True)
class _Line:
    """A case as it was given; texts are paths from here, or names."""

    input: str
    case: str = ""
    names: str = ""
    targets: tuple[str, ...] = ()
    ct: str = ""
    request: str = ""
    mesh_axes: MeshAxes | None = None


def cohort(arguments: Sequence[str], shared: Shared) -> tuple[Member, ...]:
    """The cases, by name.

    Raises AnatomyError for a file that is not there, names that are not different, or options that fit no
    case, and arguments.BadFile for a table or a request that cannot be used.
    """
    lines = [line for text in arguments for line in _lines(text)]
    files = [t for t in shared.targets if is_target_file(t)]
    if files and len(lines) > 1:
        raise RequestError(
            f"--target {files[0]}",
            "a file is one patient's target, and there are several cases",
            "Name a structure that all have, or give a table of cases (.csv) with a column 'target'.",
        )
    members = [_member(line, name, shared) for line, name in zip(lines, _names(lines), strict=True)]
    if shared.names is not None and all(member.case.names is None for member in members):
        raise RequestError("--names", "no case is a NIfTI label map, which takes names", "Leave it out.")
    if shared.mesh_axes is not None and all(member.case.mesh_axes is None for member in members):
        raise RequestError("--mesh-axes", "no case has a surface, which takes them", "Leave it out.")
    for member in members:
        if not member.name.isprintable():
            raise RequestError(
                f"case {member.name!a}", "its name cannot be written down", "Rename it, or its folder."
            )
    members.sort(key=lambda member: member.name)
    for earlier, later in pairwise(members):
        if earlier.name == later.name:
            raise RequestError(
                f"case {earlier.name}",
                "two cases have this name",
                "Give each once, or names of their own in a table of cases (.csv) with a column 'case'.",
            )
    return tuple(members)


def _member(line: _Line, name: str, shared: Shared) -> Member:
    names = Path(line.names) if line.names else None
    if names is None and line.input.lower().endswith(NIFTI_SUFFIXES) and not Path(line.input).is_dir():
        names = shared.names
    targets = line.targets or shared.targets
    axes = line.mesh_axes
    if axes is None and _has_surface(line.input, targets):
        axes = shared.mesh_axes
    case_input = input_from(line.input, names, targets, Path(line.ct) if line.ct else None, axes)
    file = Path(line.request) if line.request else shared.request
    plan_request = request_file(file)
    if "ranking" in plan_request.model_fields_set:
        assert file is not None
        raise BadFile(f"{file.name}: /ranking: a study's rankings are its options. Leave it out.")
    return Member(name, case_input.case, case_input.with_targets(plan_request.to_request()), file)


def _has_surface(input: str, targets: Sequence[str]) -> bool:
    source = Path(input)
    files = sorted(source.iterdir()) if source.is_dir() else [source]
    return any(is_surface(file) for file in (*files, *(Path(t) for t in targets if is_target_file(t))))


def _lines(text: str) -> Iterator[_Line]:
    if text.lower().endswith(TABLE_SUFFIX) and not Path(text).is_dir():
        yield from _table(Path(text))
    else:
        yield _Line(_builtin(text, Path(text)))


def _builtin(text: str, path: Path) -> str:
    """A built-in may be given by its bare name, if no file has that name."""
    return f"{BUILTIN_PREFIX}{text}" if text in BUILTINS and not path.exists() else text


def _table(path: Path) -> Iterator[_Line]:
    with path.open("rb") as file:
        data = file.read(MAX_TABLE_BYTES + 1)
    if len(data) > MAX_TABLE_BYTES:
        raise BadFile(f"{path.name}: it is longer than {MAX_TABLE_BYTES} bytes. Split it.")
    try:
        rows = list(csv.DictReader(data.decode("utf-8-sig").splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"{path.name}: it is not a table ({error}). Save it as CSV in UTF-8.") from None
    if not rows:
        raise BadFile(f"{path.name}: it has no line below its head. Give one for each case.")
    for column in rows[0]:
        if column is not None and column not in COLUMNS:
            unknown = shortened(repr(column), MAX_FIELD_LENGTH)
            raise BadFile(f"{path.name}: there is no column {unknown}. {did_you_mean(column, COLUMNS)}")
    for number, row in enumerate(rows, 1):
        # csv puts extra cells under the key None, and uses None for missing ones.
        if None in row or None in row.values():
            raise BadFile(f"{path.name}: case {number} has not as many cells as the head. Mend the line.")
        if any("\0" in cell for cell in row.values()):
            raise BadFile(f"{path.name}: case {number} holds a zero byte, which no name may. Mend the line.")
        yield _of_row(path, number, row)


def _of_row(path: Path, number: int, row: Mapping[str, str]) -> _Line:
    cells = {column: (row.get(column) or "").strip() for column in COLUMNS}
    text = cells["input"]
    if not text:
        raise BadFile(f"{path.name}: case {number} has no input. Give its file or folder.")

    def placed(cell: str) -> str:
        return str(path.parent / cell) if cell else ""

    if not text.startswith(BUILTIN_PREFIX):
        there = path.parent / text
        text = _builtin(text, there) if not there.exists() else str(there)
        text = text if text.startswith(BUILTIN_PREFIX) else str(there)
    targets = [target.strip() for target in cells["target"].split(";") if target.strip()]
    placed_targets = tuple(
        placed(t) if (path.parent / t).exists() or is_target_file(t) else t for t in targets
    )
    return _Line(
        text,
        cells["case"],
        placed(cells["names"]),
        placed_targets,
        placed(cells["ct"]),
        placed(cells["request"]),
        _axes(path, number, cells["mesh_axes"]),
    )


def _axes(path: Path, number: int, cell: str) -> MeshAxes | None:
    if not cell:
        return None
    axes = parse_axes(cell)
    if axes is None:
        quoted = shortened(ascii(cell), MAX_FIELD_LENGTH)
        raise BadFile(f"{path.name}: case {number} has mesh_axes {quoted}. {SEND_AXES}")
    return axes


def _names(lines: Sequence[_Line]) -> list[str]:
    """Each case's own name, or the shortest part of its path that differs from the others'."""
    parts = [_parts(line.input) for line in lines]
    unnamed = [p for line, p in zip(lines, parts, strict=True) if not line.case]
    tails = _telling_apart(unnamed)
    remaining = iter(tails)
    return [line.case or next(remaining) for line in lines]


def _parts(source: str) -> tuple[str, ...]:
    if source.startswith(BUILTIN_PREFIX):
        return (source.removeprefix(BUILTIN_PREFIX),)
    path = Path(source).resolve()
    return (*path.parts[1:-1], path.name if path.is_dir() else organ_name(path))


def _telling_apart(paths: Sequence[tuple[str, ...]]) -> list[str]:
    """The shortest ends of paths that all differ, without the end that all share: "p01" and "p02" for
    p01/segmentations and p02/segmentations. Equal paths stay equal."""
    longest = max((len(path) for path in paths), default=0)
    ends: list[tuple[str, ...]] = list(paths)
    for length in range(1, longest + 1):
        ends = [path[-length:] for path in paths]
        if len(set(ends)) == len(ends):
            break
    while len(ends) > 1 and all(len(end) > 1 for end in ends) and len({end[-1] for end in ends}) == 1:
        ends = [end[:-1] for end in ends]
    return ["/".join(end) for end in ends]
