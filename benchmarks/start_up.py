"""How much processor time commands take that have nothing to do: each in a process of its own, as a ratio to
`python -c pass`."""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.table import Row

NAME = "start_up"
REPEATS = 3

NOTHING = ("-c", "pass")
SEEDPATH = ("-m", "service.cli")
IMPORTED = ("service.client", "service.web.app", "service.jobs.worker")
"""What others import, and what each server and each worker of jobs loads at its start."""

READING = "import pathlib, sys; from anatomy.readers.read import read; read(pathlib.Path(sys.argv[1]))"
"""What a program that reads the same file needs at the least."""

GOAL_S = {"--help": 0.4, "--version": 0.4, "no such command": 1.0, "no argument": 1.0, "no such file": 1.0}
MORE_S = 2.0
"""What a bad input file may take beyond reading it."""


def run() -> list[Row]:
    """The least processor time of each, of a few runs: whatever else runs on the machine only ever adds."""
    nothing_s = _processor_s(*NOTHING)
    rows = [Row(NAME, "python -c pass", nothing_s, "s")]
    with tempfile.TemporaryDirectory(prefix="seedpath-bench-") as folder:
        bad = Path(folder) / "labels.nii.gz"
        bad.write_bytes(b"no NIfTI file")
        commands = {
            "--help": ["--help"],
            "--version": ["--version"],
            "no such command": ["plant"],
            "no argument": ["plan"],
            "no such file": ["plan", str(Path(folder) / "missing.nii.gz")],
        }
        for what, arguments in commands.items():
            took_s = _processor_s(*SEEDPATH, *arguments)
            goal_s = GOAL_S[what]
            rows.append(_row(f"seedpath, {what}", took_s, nothing_s, f"<= {goal_s} s", took_s <= goal_s))
        reading_s = _processor_s("-c", READING, str(bad))
        rows.append(_row("reading a file that is no NIfTI", reading_s, nothing_s))
        took_s = _processor_s(*SEEDPATH, "plan", str(bad))
        goal = f"<= {MORE_S} s more than reading"
        rows.append(_row("seedpath plan, the same", took_s, nothing_s, goal, took_s - reading_s <= MORE_S))
    for module in IMPORTED:
        rows.append(_row(f"import {module}", _processor_s("-c", f"import {module}"), nothing_s))
    return rows


def _row(what: str, took_s: float, nothing_s: float, goal: str = "", met: bool | None = None) -> Row:
    return Row(NAME, what, took_s, "s", f"{took_s / nothing_s:.0f} times python -c pass", goal, met)


def _processor_s(*arguments: str) -> float:
    """Processor time of a Python process, the least of REPEATS runs after one that is not counted. [s]"""
    took = []
    for _ in range(1 + REPEATS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, *arguments], check=False, capture_output=True, cwd=Path(__file__).parents[1]
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(took[1:])
