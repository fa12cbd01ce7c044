"""About: whether the service can take work, its version, and the meaning of its problems."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from planner import SOFTWARE
from planner.records.plan import SCHEMA
from service.problems import KINDS
from service.web.problem_answers import documented, problem
from service.web.services import state_of

router = APIRouter(tags=["about"])


class Health(BaseModel):
    """The service can take work: files can be written, the database answers, and `workers` are heard.

    `silent_workers` are not, the first of them since `longest_silence_s`: they are being replaced. All is as
    found out within the last seconds.
    """

    status: Literal["ok"]
    workers: int
    silent_workers: int
    longest_silence_s: float
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
    """Whether the service can take work. All the time a file is written, the database asked, and workers are
    listened to; this is what was found out last."""
    status = state_of(request).health_monitor.status()
    return Health(
        status="ok",
        workers=status.workers,
        silent_workers=status.silent_workers,
        longest_silence_s=round(status.longest_silence_s, 1),
        jobs=status.jobs,
    )


@router.get("/version")
async def version() -> Version:
    """Which version this is."""
    return Version(software=SOFTWARE, plan_schema=SCHEMA)


@router.get("/problems/{kind}", responses=documented("not-found"))
async def problem_kind(kind: str) -> ProblemKind:
    """What a problem's type means."""
    if kind not in KINDS:
        raise problem("not-found", f"There is no such kind of problem. Known: {', '.join(KINDS)}.")
    kind_info = KINDS[kind]
    return ProblemKind(title=kind_info.title, status=kind_info.status, meaning=kind_info.meaning)
