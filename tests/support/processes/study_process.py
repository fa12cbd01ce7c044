"""`seedpath study` as a process of its own, with stand-in planning, so that it can be killed."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

import psutil
import study_work
from checkout import PATHS

from service.cli import main as cli
from service.cli import study_command


def started(arguments: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    """The study, begun, in a group of its own as a shell has it."""
    return subprocess.Popen(
        [sys.executable, __file__, "study", *arguments],
        env=os.environ | {"PYTHONPATH": PATHS} | dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def family(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """All processes that it has started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children(recursive=True)
    return []


def is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


if __name__ == "__main__":
    study_command.WORK = study_work.WORK
    sys.exit(cli.main(sys.argv[1:]))
