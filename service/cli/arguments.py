"""Arguments: what the commands have in common: the input, its companions, and JSON files of the user's."""

import argparse
from pathlib import Path

from anatomy.readers.mesh.mesh_axes import SEND_AXES, MeshAxes, parse_axes
from service.operations.input_files import Input, input_from


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
    add_mesh_axes(command)


def add_mesh_axes(command: argparse.ArgumentParser) -> None:
    """Which axes surfaces are in."""
    command.add_argument(
        "--mesh-axes",
        type=_axes,
        metavar="lps|ras",
        help="axes of surfaces whose files do not say (SPACE=...); lps without it",
    )


def _axes(text: str) -> MeshAxes:
    axes = parse_axes(text)
    if axes is None:
        raise argparse.ArgumentTypeError(f"{text!a} is none that surfaces are read in. {SEND_AXES}")
    return axes


def add_output(command: argparse.ArgumentParser, what: str) -> None:
    """Where the result is written."""
    command.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help=f"write the {what} here, not to stdout"
    )


def input_of(asked: argparse.Namespace) -> Input:
    """What the input arguments mean. Raises ReadError for a file that is not there."""
    return input_from(asked.input, asked.names, asked.target, asked.ct, asked.mesh_axes)
