"""Arguments: what the commands have in common: the input, its companions, and JSON files of the user's."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from anatomy.errors import ReadError
from planner.records import Plan
from planner.request import RequestError
from service.case import Case
from service.plan_json import MAX_PLAN_BYTES, PlanFile, read_plan
from service.strict_json import NotJson, Refused

BUILTIN_PREFIX = "builtin:"
FILE_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".stl", ".obj", ".ply")
"""A --target that ends so is a file, even where there is none."""

Read = TypeVar("Read")


class BadFile(ValueError):
    """A JSON file of the user's that cannot be used."""


@dataclass(frozen=True)
class Input:
    """What the input arguments mean: a case, and the targets that were named rather than given as files."""

    case: Case
    target_names: tuple[str, ...]

    def refuse_other_targets(self, plan: Plan) -> None:
        """Raise RequestError where a target is named that is not the plan's."""
        targets = plan.request.target.structures
        for name in self.target_names:
            if name not in targets:
                raise RequestError(
                    "--target", f"{name!r} is not the plan's", f"Its targets: {', '.join(targets)}."
                )


def add_input(command: argparse.ArgumentParser) -> None:
    """The arguments that name a case."""
    command.add_argument(
        "input",
        metavar="INPUT",
        help="NIfTI label map, .seg.nrrd, folder of one-organ masks or of surfaces, or builtin:thorax",
    )
    command.add_argument("--names", type=Path, metavar="FILE", help="labels.json, for a map without names")
    command.add_argument(
        "--target", action="append", default=[], metavar="NAME|FILE", help="what is treated; may be repeated"
    )
    command.add_argument("--ct", type=Path, metavar="FILE", help="the CT, on the same grid")


def add_output(command: argparse.ArgumentParser, what: str) -> None:
    """Where the result is written."""
    command.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help=f"write the {what} here, not to stdout"
    )


def input_of(asked: argparse.Namespace) -> Input:
    """What the input arguments mean. Raises ReadError for a file that is not there."""
    source: Path | str = Path(asked.input)
    if asked.input.startswith(BUILTIN_PREFIX):
        source = asked.input.removeprefix(BUILTIN_PREFIX)
    files = tuple(t for t in asked.target if _is_file(t))
    for given in [source, asked.names, asked.ct, *map(Path, files)]:
        if isinstance(given, Path) and not given.exists():
            raise ReadError(str(given), "there is no such file or folder", "Check the path.")
    names = tuple(t for t in asked.target if t not in files)
    return Input(Case(source, asked.names, tuple(map(Path, files)), asked.ct), names)


def files_of(case: Case, *others: Path | None) -> list[Path]:
    """Every file or folder that is read: the case's, and others."""
    given = [case.source, case.names, *case.targets, case.ct, *others]
    return [path for path in given if isinstance(path, Path)]


def _is_file(target: str) -> bool:
    return Path(target).exists() or "/" in target or target.lower().endswith(FILE_SUFFIXES)


def plan_file(path: Path) -> PlanFile:
    """A plan's file. Raises BadFile."""
    return read_file(path, read_plan, MAX_PLAN_BYTES)


def read_file(path: Path, read: Callable[[bytes], Read], most: int) -> Read:
    """What `read` makes of a JSON file, given one byte more than `most` of it at the most. Raises BadFile."""
    with path.open("rb") as file:
        data = file.read(most + 1)
    try:
        return read(data)
    except (NotJson, Refused) as error:
        raise BadFile(f"{path.name}: {error}") from None
