"""Demo: the main job on the built-in thorax, asked of a real service over HTTP, as any client would."""

import tempfile
from pathlib import Path

from planner.records.plan import Plan
from planner.records.progress import Phase, Progress
from service.cli.terminal import ProgressLines, say
from service.client import Altered, Client, ProblemError
from service.settings import Settings
from service.web.app import create_app
from service.web.server import serve_in_background

CASE = "thorax"
REQUEST = {"target": {"structure": "node_4R"}}
"""A right lower paratracheal node: between great vessels, airway and lung."""


class DemoFailed(Exception):
    """The service answered with a problem."""


def demo() -> Plan:
    """Start a service with a folder of its own, upload, plan, and read the plan back. Raises DemoFailed."""
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
            return client.plan(case, REQUEST, lambda phase, f: lines(Progress(Phase(phase), f, ""))).plan
        except (ProblemError, Altered) as error:
            raise DemoFailed(str(error)) from error
