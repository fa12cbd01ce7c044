"""Command line: `seedpath`. Results go to stdout or the file, progress and messages to stderr.

Exit status: 0 planned, verified, or the goals are met; 1 no plan fits, a claim fails or could not be checked,
or the goals are not met; 2 bad input; 3 a fault of this software; 130 interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from anatomy.errors import AnatomyError, Companion
from anatomy.names.did_you_mean import did_you_mean
from planner import SOFTWARE
from service.cli.exit_status import BAD_INPUT, FAULT, INTERRUPTED
from service.cli.terminal import say
from service.host.errors import BadFile, Unverified
from service.storage.errors import DamagedDatabase, Unavailable

COMMANDS = {
    "demo": "plan the built-in thorax through a real service",
    "plan": "plan a segmentation",
    "describe": "tell what was read: grid, structures, notes",
    "check": "verify a plan against its inputs",
    "evaluate-implant": "hold the seeds of an implant against its plan",
    "replan": "plan again around needles as they were measured",
    "study": "plan a cohort once for each ranking, and compare",
    "keys": "API keys: who may ask the service",
    "store": "what the service keeps: check it, back it up, restore it, prune it",
    "serve": "start the REST service",
}
"""Names of commands, and what `--help` says of them. Each is a module of `service.cli.commands`, which is
loaded when it is asked for: `--help` and `--version` load none."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser(next((text for text in words if text in COMMANDS), None))
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        parser.error(f"{words[0]!r} is not a command. {did_you_mean(words[0], (*COMMANDS, '--version'))}")
    args = parser.parse_args(words)
    try:
        status: int = args.run(args)
        return status
    except AnatomyError as error:
        say(f"error: {error.text_by(_flag)}")
        return BAD_INPUT
    except (BadFile, DamagedDatabase) as error:
        say(f"error: {error}")
        return BAD_INPUT
    except OSError as error:
        say(f"error: {error.filename or 'file system'}: {error.strerror or error}.")
        return BAD_INPUT
    except Unavailable as error:
        reason = f" ({error.reason})" if error.reason else ""
        say(f"error: {error}{reason} Start it, or mend SEEDPATH_DATABASE_URL.")
        return BAD_INPUT
    except Unverified as error:
        say(f"fault: {error}")
        return FAULT
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED


def _flag(companion: Companion) -> str:
    """The flag by which a companion of the input is given (`service.cli.arguments.add_input`)."""
    return f"--{companion.replace('_', '-')}"


def _parser(command: str | None) -> argparse.ArgumentParser:
    """The parser, which knows the arguments of only that command."""
    parser = argparse.ArgumentParser(
        prog="seedpath",
        description="Safe straight needle paths for iodine-125 seeds in the chest. Research use.",
    )
    parser.add_argument("--version", action="version", version=SOFTWARE)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, what in COMMANDS.items():
        subparser = commands.add_parser(name, help=what)
        if name == command:
            import_module(f"service.cli.commands.{name.replace('-', '_')}").add_arguments(subparser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
