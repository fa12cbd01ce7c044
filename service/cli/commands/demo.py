"""`seedpath demo`: plan the built-in thorax through a real service, as any client would."""

import argparse
import sys
import tempfile
from pathlib import Path

from service.cli.exit_status import DONE, FAULT, NOT_ALL
from service.cli.terminal import ProgressLines, say

CASE = "thorax"
REQUEST = {"target": {"structure": "node_4R"}}
"""A right lower paratracheal node: between great vessels, airway and lung."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has no arguments."""
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    """Start a service with a temporary folder, create the case, plan it, and read the plan back."""
    del args
    from planner.records.plan import Status
    from planner.records.progress import Phase, Progress
    from service.cli.text.plan import plan_text
    from service.client import Client, ContentMismatch, ProblemError
    from service.settings import Settings
    from service.web.app import create_app
    from service.web.server import serve_in_background

    lines = ProgressLines()
    with (
        tempfile.TemporaryDirectory(prefix="seedpath-demo-") as folder,
        serve_in_background(create_app(Settings(data_dir=Path(folder)))) as base,
        Client(base) as client,
    ):
        try:
            say(f"POST /v1/cases {{'builtin': {CASE!r}}}")
            case = client.add_builtin(CASE)
            say(f"POST /v1/cases/{case['id'][:8]}.../plans {REQUEST}")
            plan = client.plan(case, REQUEST, lambda phase, f: lines(Progress(Phase(phase), f, ""))).plan
        except (ProblemError, ContentMismatch) as error:
            say(f"fault: {error}")
            return FAULT
    sys.stdout.write(plan_text(plan))
    return DONE if plan.outcome.status is Status.PLANNED else NOT_ALL
