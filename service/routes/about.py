"""About the service: is it up, which version is it, what do its problems mean."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from planner.records import SCHEMA, SOFTWARE
from service.parts import Parts, parts_of
from service.problems import KINDS, documented, problem

router = APIRouter(tags=["about"])


class Health(BaseModel):
    """The service can take work: files and records can be written, and there are `workers` for jobs."""

    status: Literal["ok"]
    workers: int
    jobs: dict[str, int]


class Version(BaseModel):
    """The software as plans state it, and the schema of its plans."""

    software: str
    plan_schema: str


class ProblemKind(BaseModel):
    """What a problem's `type` means."""

    title: str
    status: int
    meaning: str


@router.get("/health", responses=documented("no-room"))
async def health(request: Request) -> Health:
    """Whether the service can take work: a file is written, the database asked, and workers counted."""
    return await run_in_threadpool(_health, parts_of(request))


@router.get("/version")
async def version() -> Version:
    """Which version this is."""
    return Version(software=SOFTWARE, plan_schema=SCHEMA)


@router.get("/problems/{kind}", responses=documented("not-found"))
async def problem_kind(kind: str) -> ProblemKind:
    """What a problem's type means."""
    if kind not in KINDS:
        raise problem("not-found", f"There is no such kind of problem. Known: {', '.join(KINDS)}.")
    found = KINDS[kind]
    return ProblemKind(title=found.title, status=found.status, meaning=found.meaning)


def _health(parts: Parts) -> Health:
    """Raises Problem, OSError, and database.connection.Unavailable."""
    parts.store.refuse_writes_that_fail()
    parts.reserves.refuse_use()
    jobs = parts.book.counts()
    workers = parts.engine.workers()
    if workers == 0:
        raise problem("unavailable", "There is no worker for jobs. What is accepted waits.")
    return Health(status="ok", workers=workers, jobs=jobs)
