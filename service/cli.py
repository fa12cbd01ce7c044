"""Command line: `seedpath`. Results go to stdout or the file, progress and messages to stderr.

Exit status: 0 planned, or every claim holds; 1 no plan fits, or a claim fails; 2 bad input; 3 a fault of
this software; 130 interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from anatomy.errors import AnatomyError, ReadError
from planner.records import SOFTWARE, Check, Plan, Status
from planner.request import Request, RequestError
from service.again import why_not_again
from service.app import create_app
from service.demo import DemoFailed, demo
from service.files import write_atomically
from service.outputs import refuse_bad_outputs
from service.plan_json import MAX_PLAN_BYTES, PlanFile, read_plan, write_plan
from service.schema import MAX_REQUEST_BYTES, PlanRequest
from service.server import address, listen, serve
from service.settings import from_environment
from service.strict_json import NotJson, Refused, read_model
from service.table import plan_text, verification_text
from service.terminal import ProgressLines, say
from service.work import Case, Unverified, check_case, plan_case

PLANNED, NOT_PLANNED, BAD_INPUT, FAULT, INTERRUPTED = 0, 1, 2, 3, 130

BUILTIN_PREFIX = "builtin:"
FILE_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".stl", ".obj", ".ply")
"""A --target that ends so is a file, even where there is none."""


class BadFile(ValueError):
    """A JSON file of the user's that cannot be used."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    asked = _parser().parse_args(arguments)
    try:
        status: int = asked.run(asked)
        return status
    except (AnatomyError, BadFile) as error:
        say(f"error: {error}")
        return BAD_INPUT
    except OSError as error:
        say(f"error: {error.filename or 'file system'}: {error.strerror or error}.")
        return BAD_INPUT
    except (Unverified, DemoFailed) as error:
        say(f"fault: {error}")
        return FAULT
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="seedpath",
        description="Safe straight needle paths for iodine-125 seeds in the chest. Research use.",
    )
    parser.add_argument("--version", action="version", version=SOFTWARE)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("demo", help="plan the built-in thorax through a real service")
    command.set_defaults(run=_demo)

    command = commands.add_parser("plan", help="plan a segmentation")
    _add_input(command)
    command.add_argument("--request", type=Path, metavar="FILE", help="request.json; every field optional")
    command.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write the plan here, not to stdout"
    )
    command.add_argument(
        "--figures", type=Path, metavar="DIR", help="draw a picture per path, and skin access"
    )
    command.set_defaults(run=_plan)

    command = commands.add_parser("check", help="verify a plan against its inputs")
    command.add_argument("plan", type=Path, metavar="PLAN", help="plan.json")
    command.add_argument(
        "--quick",
        action="store_true",
        help="do not make the plan again, to compare what only a search can tell",
    )
    _add_input(command)
    command.set_defaults(run=_check)

    command = commands.add_parser("serve", help="start the REST service, on this machine only")
    command.add_argument("--host", default="127.0.0.1", help="a loopback address (127.0.0.1)")
    command.add_argument("--port", type=_port, default=8000, help="8000; 0 takes a free one")
    command.set_defaults(run=_serve)
    return parser


def _add_input(command: argparse.ArgumentParser) -> None:
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


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 to 65535")
    return int(text)


@dataclass(frozen=True)
class Input:
    """What the input arguments mean: a case, and the targets that were named rather than given as files."""

    case: Case
    target_names: tuple[str, ...]


def _input(asked: argparse.Namespace) -> Input:
    source: Path | str = Path(asked.input)
    if asked.input.startswith(BUILTIN_PREFIX):
        source = asked.input.removeprefix(BUILTIN_PREFIX)
    files = tuple(t for t in asked.target if _is_file(t))
    for given in [source, asked.names, asked.ct, *map(Path, files)]:
        if isinstance(given, Path) and not given.exists():
            raise ReadError(str(given), "there is no such file or folder", "Check the path.")
    names = tuple(t for t in asked.target if t not in files)
    return Input(Case(source, asked.names, tuple(map(Path, files)), asked.ct), names)


def _files(case: Case, request: Path | None) -> list[Path]:
    """Every file or folder that is read."""
    given = [case.source, case.names, *case.targets, case.ct, request]
    return [path for path in given if isinstance(path, Path)]


def _is_file(target: str) -> bool:
    return Path(target).exists() or "/" in target or target.lower().endswith(FILE_SUFFIXES)


def _demo(asked: argparse.Namespace) -> int:
    del asked
    plan = demo()
    sys.stdout.write(plan_text(plan))
    return _status(plan)


def _plan(asked: argparse.Namespace) -> int:
    given = _input(asked)
    request = _with_target(_request(asked.request), given)
    # Before the work, not after it: a plan that cannot be written was made for nothing.
    refuse_bad_outputs(asked.output, asked.figures, _files(given.case, asked.request))
    say(f"reading {asked.input}")
    planned = plan_case(given.case, request, ProgressLines())
    text = write_plan(planned.plan)
    if asked.output is None:
        sys.stdout.write(text.decode())
        sys.stderr.write(plan_text(planned.plan))
    else:
        write_atomically(asked.output, text)
        sys.stdout.write(plan_text(planned.plan))
    if asked.figures is not None:
        # Drawing needs matplotlib, which takes longer to load than a search.
        from service.figures import draw

        for path in draw(planned.planning, planned.scene, asked.figures):
            say(f"drew {path}")
    return _status(planned.plan)


def _check(asked: argparse.Namespace) -> int:
    given = _input(asked)
    file = _plan_file(asked.plan)
    targets = file.plan.request.target.structures
    for name in given.target_names:
        if name not in targets:
            raise RequestError(
                "--target", f"{name!r} is not the plan's", f"Its targets: {', '.join(targets)}."
            )
    say(f"reading {asked.input}")
    checked = check_case(given.case, file.plan, ProgressLines(), again=not asked.quick)
    own = Check(
        "plan_sha256",
        asked.plan.name,
        file.claimed_sha256,
        file.content_sha256,
        0.0,
        file.claimed_sha256 == file.content_sha256,
    )
    every = replace(checked, passed=checked.passed and own.passed, checks=(own, *checked.checks))
    print(verification_text(every))
    if every.not_recomputed:
        reason = why_not_again(file.plan) or ("--quick" if asked.quick else "a claim failed")
        print(f"Not made again ({reason}), so not checked: {', '.join(every.not_recomputed)}.")
    return PLANNED if every.passed else NOT_PLANNED


def _serve(asked: argparse.Namespace) -> int:
    settings = from_environment()
    with listen(asked.host, asked.port) as listening:
        app = create_app(settings)
        say(f"serving on {address(listening)}/v1, files in {settings.data_dir}")
        serve(app, listening)
    return PLANNED


def _request(path: Path | None) -> Request:
    if path is None:
        return PlanRequest().to_request()
    try:
        return read_model(PlanRequest, _bytes(path, MAX_REQUEST_BYTES), MAX_REQUEST_BYTES).to_request()
    except (NotJson, Refused) as error:
        raise BadFile(f"{path.name}: {error}") from None


def _plan_file(path: Path) -> PlanFile:
    try:
        return read_plan(_bytes(path, MAX_PLAN_BYTES))
    except (NotJson, Refused) as error:
        raise BadFile(f"{path.name}: {error}") from None


def _bytes(path: Path, most: int) -> bytes:
    """A file's content, and one byte more than `most` of it at the most."""
    with path.open("rb") as file:
        return file.read(most + 1)


def _with_target(request: Request, given: Input) -> Request:
    """The request with the targets that the command line names."""
    if given.target_names and given.case.targets:
        raise RequestError(
            "--target", "both names and files are given", "Give all as names, or all as files."
        )
    named = given.target_names
    asked = request.target.structures
    if asked and named and set(asked) != set(named):
        raise RequestError("--target", "the request names another", "Leave it out of one of the two.")
    return replace(request, target=replace(request.target, structures=named)) if named else request


def _status(plan: Plan) -> int:
    return PLANNED if plan.outcome.status is Status.PLANNED else NOT_PLANNED


if __name__ == "__main__":
    sys.exit(main())
