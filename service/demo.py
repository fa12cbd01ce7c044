"""Demo: the main job on the built-in thorax, asked of a real service over HTTP, as any client would."""

import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from planner.progress import Phase, Progress
from planner.records import Plan
from service.app import create_app
from service.plan_json import read_plan
from service.server import beside
from service.settings import Settings
from service.terminal import ProgressLines, say

CASE = {"builtin": "thorax"}
REQUEST = {"target": {"structure": "node_4R"}}
"""A right lower paratracheal node: between great vessels, airway and lung."""

POLL_S = 0.2
ANSWER_S = 120.0
"""No single answer of the service takes longer."""


class DemoFailed(Exception):
    """The service answered with a problem."""


def demo() -> Plan:
    """Start a service with a folder of its own, upload, plan, and read the plan back."""
    with (
        tempfile.TemporaryDirectory(prefix="seedpath-demo-") as folder,
        beside(create_app(Settings(data_dir=Path(folder)))) as base,
        # No proxy of the environment stands between this machine and itself.
        httpx.Client(base_url=base, trust_env=False, timeout=ANSWER_S) as client,
    ):
        say(f"POST /v1/cases {CASE}")
        case = _json(client.post("/v1/cases", json=CASE))
        say(f"POST /v1/cases/{case['id'][:8]}.../plans {REQUEST}")
        job = _json(client.post(f"/v1/cases/{case['id']}/plans", json=REQUEST))
        job = _ended(client, job)
        if job["state"] != "done":
            raise DemoFailed(job["problem"]["detail"] if job["problem"] else f"The job was {job['state']}.")
        answer = client.get(job["plan"])
        _json(answer)
        return read_plan(answer.content).plan


def _ended(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    lines = ProgressLines()
    while job["state"] in ("queued", "running"):
        if job["progress"]:
            lines(Progress(Phase(job["progress"]["phase"]), job["progress"]["fraction"], ""))
        time.sleep(POLL_S)
        job = _json(client.get(f"/v1/jobs/{job['id']}"))
    return job


def _json(answer: httpx.Response) -> dict[str, Any]:
    content: dict[str, Any] = answer.json()
    if answer.is_error:
        raise DemoFailed(f"{content['title']}: {content['detail']}")
    return content
