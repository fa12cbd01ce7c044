"""Arguments: what several commands share: the input with its companions, and JSON files."""

import argparse
import os
from pathlib import Path
from typing import Any

from anatomy.readers.mesh.mesh_axes import SEND_AXES, MeshAxes, parse_axes
from service.operations.case import Case
from service.operations.input_files import Input, input_from, plan_file
from service.schemas.plan.file import PlanFile
from service.settings import Settings, from_environment


def add_input(command: argparse.ArgumentParser) -> None:
    """Add the arguments that name a case."""
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
    add_mesh_axes(command)


def add_mesh_axes(command: argparse.ArgumentParser) -> None:
    """Add the option that says in which axes surfaces are."""
    command.add_argument(
        "--mesh-axes",
        type=_axes,
        metavar="lps|ras",
        help="axes of surfaces whose files do not say (SPACE=...); lps without it",
    )


def _axes(text: str) -> MeshAxes:
    axes = parse_axes(text)
    if axes is None:
        raise argparse.ArgumentTypeError(f"{text!a} is not supported for surfaces. {SEND_AXES}")
    return axes


def add_output(command: argparse.ArgumentParser, what: str) -> None:
    """Add the option that says where the result is written."""
    command.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help=f"write the {what} here, not to stdout"
    )


def input_of(args: argparse.Namespace) -> Input:
    """The input that the arguments name. Raises ReadError for a file that does not exist."""
    return input_from(args.input, args.names, args.target, args.ct, args.mesh_axes)


def add_plan_and_input(command: argparse.ArgumentParser) -> None:
    """A plan, and its input as `plan` took it."""
    command.add_argument("plan", type=Path, metavar="PLAN", help="plan.json")
    add_input(command)


def plan_and_case_of(args: argparse.Namespace) -> tuple[PlanFile, Case]:
    """The plan that the arguments name, and the case that is given with it.

    Raises BadFile for a plan that cannot be used, ReadError for a file that does not exist, and RequestError
    for a target that is not one of the plan's.
    """
    case_input, file = input_of(args), plan_file(args.plan)
    case_input.refuse_other_targets(file.plan)
    return file, case_input.case


def add_data_dir(action: Any) -> None:
    """The option that names a service's data folder."""
    action.add_argument("--data-dir", type=Path, metavar="DIR", help="SEEDPATH_DATA_DIR")


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings, with the data folder that the command names. Raises AnatomyError."""
    overrides = {} if args.data_dir is None else {"SEEDPATH_DATA_DIR": str(args.data_dir)}
    return from_environment(os.environ | overrides)
