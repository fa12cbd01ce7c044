"""Command line: `seedpath`. Results go to stdout or the file, progress and messages to stderr.

Exit status: 0 planned, verified, or the goals are met; 1 no plan fits, a claim fails or could not be checked,
or the goals are not met; 2 bad input; 3 a fault of this software; 130 interrupted.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from anatomy.errors import AnatomyError, StructureError
from anatomy.names.did_you_mean import did_you_mean
from planner.records.plan import SOFTWARE, Plan, Status
from planner.records.request import Request
from service.cli.arguments import add_input, add_output, input_of
from service.cli.demo import DemoFailed, demo
from service.cli.implant_commands import add_implant_commands
from service.cli.key_commands import add_key_commands
from service.cli.store_commands import add_store_commands
from service.cli.study_command import add_study_command
from service.cli.terminal import ProgressLines, deliver, say
from service.cli.text.check import check_text, hash_check, holds
from service.cli.text.description import description_text
from service.cli.text.plan import plan_text
from service.host.private_files import private_files
from service.jobs.memory_limits import told_memory
from service.logs.audit import audit_to
from service.logs.json_lines import log_to_stderr
from service.operations.check_case import check_case
from service.operations.describe_case import describe_case
from service.operations.input_files import BadFile, files_of, plan_file, request_file
from service.operations.output_files import refuse_bad_outputs
from service.operations.plan_case import plan_case
from service.operations.plan_scene import Unverified
from service.schemas.json.canonical import text_of
from service.schemas.plan.file import write_plan
from service.settings import from_environment
from service.storage.database.connection import Damaged, Unavailable
from service.storage.reserved_space import audit_room
from service.web.app import create_app
from service.web.server import address, listen, serve

PLANNED, NOT_PLANNED, BAD_INPUT, FAULT, INTERRUPTED = 0, 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    parser, commands = _parser()
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given and not given[0].startswith("-") and given[0] not in commands:
        parser.error(f"{given[0]!r} is no command. {did_you_mean(given[0], (*commands, '--version'))}")
    asked = parser.parse_args(given)
    try:
        status: int = asked.run(asked)
        return status
    except (AnatomyError, BadFile) as error:
        say(f"error: {error}")
        return BAD_INPUT
    except OSError as error:
        say(f"error: {error.filename or 'file system'}: {error.strerror or error}.")
        return BAD_INPUT
    except Damaged as error:
        say(f"error: {error}")
        return BAD_INPUT
    except Unavailable as error:
        said = f" ({error.reason})" if error.reason else ""
        say(f"error: {error}{said} Start it, or mend SEEDPATH_DATABASE_URL.")
        return BAD_INPUT
    except (Unverified, DemoFailed) as error:
        say(f"fault: {error}")
        return FAULT
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED


def _parser() -> tuple[argparse.ArgumentParser, tuple[str, ...]]:
    """The parser, and the names of the commands."""
    parser = argparse.ArgumentParser(
        prog="seedpath",
        description="Safe straight needle paths for iodine-125 seeds in the chest. Research use.",
    )
    parser.add_argument("--version", action="version", version=SOFTWARE)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("demo", help="plan the built-in thorax through a real service")
    command.set_defaults(run=_demo)

    command = commands.add_parser("plan", help="plan a segmentation")
    add_input(command)
    command.add_argument("--request", type=Path, metavar="FILE", help="request.json; every field optional")
    add_output(command, "plan")
    command.add_argument(
        "--figures", type=Path, metavar="DIR", help="draw each path, skin access and the dose"
    )
    command.set_defaults(run=_plan)

    command = commands.add_parser("describe", help="tell what was read: grid, structures, notes")
    add_input(command)
    add_output(command, "description")
    command.set_defaults(run=_describe)

    command = commands.add_parser("check", help="verify a plan against its inputs")
    command.add_argument("plan", type=Path, metavar="PLAN", help="plan.json")
    command.add_argument(
        "--quick",
        action="store_true",
        help="only recompute the plan's claims; do not make the plan again and compare",
    )
    add_input(command)
    command.set_defaults(run=_check)

    add_implant_commands(commands)
    add_study_command(commands)
    add_key_commands(commands)
    add_store_commands(commands)

    command = commands.add_parser("serve", help="start the REST service")
    command.add_argument("--host", help="127.0.0.1; others need keys and TLS (SEEDPATH_HOST)")
    command.add_argument("--port", type=_port, help="8000; 0 takes a free one (SEEDPATH_PORT)")
    command.set_defaults(run=_serve)
    return parser, tuple(commands.choices)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 to 65535")
    return int(text)


def _demo(asked: argparse.Namespace) -> int:
    del asked
    plan = demo()
    sys.stdout.write(plan_text(plan))
    return _status(plan)


def _plan(asked: argparse.Namespace) -> int:
    given = input_of(asked)
    request = given.asked(request_file(asked.request).to_request())
    # Before the work, not after it: a plan that cannot be written was made for nothing.
    refuse_bad_outputs(asked.output, asked.figures, files_of(given.case, asked.request))
    say(f"reading {asked.input}")
    planned = plan_case(given.case, request, ProgressLines())
    deliver(write_plan(planned.plan), plan_text(planned.plan), asked.output)
    if asked.figures is not None:
        # Drawing needs matplotlib, which takes longer to load than a search.
        from service.pictures.plan_files import draw

        for path in draw(planned.planning, planned.scene, asked.figures):
            say(f"drew {path}")
    return _status(planned.plan)


def _describe(asked: argparse.Namespace) -> int:
    given = input_of(asked)
    refuse_bad_outputs(asked.output, None, files_of(given.case))
    say(f"reading {asked.input}")
    described = describe_case(given.case)
    names = [structure["name"] for structure in described["structures"]]
    for name in given.target_names:
        if name not in names:
            raise StructureError("--target", f"{name!r} is not in the input", did_you_mean(name, names))
    described["targets"] = list(given.asked(Request()).target.structures) or described["targets"]
    deliver(text_of(described), description_text(described), asked.output)
    return PLANNED


def _check(asked: argparse.Namespace) -> int:
    given = input_of(asked)
    file = plan_file(asked.plan)
    given.refuse_other_targets(file.plan)
    say(f"reading {asked.input}")
    checked = check_case(given.case, file.plan, ProgressLines(), reproduce=not asked.quick)
    verification = checked.verification
    own = hash_check(asked.plan.name, file.claimed_sha256, file.content_sha256)
    every = replace(
        verification, passed=verification.passed and own.passed, checks=(own, *verification.checks)
    )
    checked = replace(checked, verification=every)
    print(check_text(checked))
    return PLANNED if holds(checked) else NOT_PLANNED


def _serve(asked: argparse.Namespace) -> int:
    given = {"SEEDPATH_HOST": asked.host, "SEEDPATH_PORT": asked.port}
    told = {name: str(value) for name, value in given.items() if value is not None}
    settings = from_environment(os.environ | told)
    log_to_stderr(settings.log_format)
    with private_files(), listen(settings.host, settings.port) as listening:
        app = create_app(settings)
        audit_to(settings.audit, settings.audit_rotation, audit_room(settings))
        scheme = "http" if settings.tls_certificate is None else "https"
        say(f"serving on {address(listening, scheme)}/v1, files in {settings.data_dir}")
        say(told_memory(settings))
        serve(app, listening)
    return PLANNED


def _status(plan: Plan) -> int:
    return PLANNED if plan.outcome.status is Status.PLANNED else NOT_PLANNED
