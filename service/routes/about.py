"""About the service: is it up, which version is it, what do its problems mean."""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from planner.records import SCHEMA, SOFTWARE
from service.parts import parts_of
from service.problems import KINDS, documented, problem

router = APIRouter(tags=["about"])


class Health(BaseModel):
    """The service answers, and how many jobs are in each state."""

    status: str
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


@router.get("/health")
async def health(request: Request) -> Health:
    """Whether the service is up."""
    return Health(status="ok", jobs=await run_in_threadpool(parts_of(request).book.counts))


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
