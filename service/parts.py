"""Parts: what a running service is made of, wired once by `service.app` and used by all routes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from service.case import Case
from service.jobs import Jobs
from service.pool import Pool
from service.settings import Settings
from service.store import Store
from service.tasks import Evaluate, MakePlan, Replan

Describe = Callable[[Case], dict[str, Any]]
"""How an uploaded case is read and described, in a worker process: so it must be picklable."""


@dataclass(frozen=True, eq=False)
class Parts:
    """The service's store, jobs and readers, and how its work is done.

    `reading` reads uploads in a process of its own, so that they neither wait for plans nor can take the
    service down.
    """

    settings: Settings
    store: Store
    jobs: Jobs
    reading: Pool
    describe: Describe
    make_plan: MakePlan
    evaluate: Evaluate
    replan: Replan


def parts_of(request: Request) -> Parts:
    """The parts of the service that received this request."""
    parts = request.app.state.parts
    assert isinstance(parts, Parts)
    return parts
