"""Problem answers: what the service answers over HTTP when it cannot do what was asked (RFC 9457).

Routes raise `Problem`; the layers below raise errors of their own, which become problems here.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from planner.records.wording.number_text import counted
from service.host.errors import ServiceError
from service.jobs.error_reports import disk_report, report_of
from service.jobs.errors import TooManyWaiting
from service.problems import KINDS, Report
from service.schemas.json.strict import FieldError, NotJson, Refused, pointer
from service.storage.errors import Unavailable

MEDIA_TYPE = "application/problem+json"

RETRY_AFTER_S = 5
"""When a client should come back after a service that is busy, or whose database is away [U]."""

_log = logging.getLogger("seedpath.http")


class FieldErrorModel(BaseModel):
    """A wrong field: a JSON pointer into the request, or to the form's part."""

    pointer: str
    detail: str


class ProblemModel(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldErrorModel]


@dataclass(eq=False)
class Problem(ServiceError):
    """Raised by routes; answered as its report."""

    report: Report
    headers: Mapping[str, str] = field(default_factory=dict)


def problem(kind: str, detail: str, errors: Sequence[FieldError] = ()) -> Problem:
    """A problem to raise."""
    return Problem(Report(kind, detail, tuple(errors)))


def problem_of(error: ServiceError) -> Problem:
    """The problem that an error of a layer below is answered as."""
    if isinstance(error, Problem):
        return error
    report = report_of(error)
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TooManyWaiting) else {}
    return Problem(report, _later(report) | headers)


def _later(report: Report) -> dict[str, str]:
    """When to come back where the service is away or busy."""
    return {"Retry-After": str(RETRY_AFTER_S)} if KINDS[report.kind].status == 503 else {}


def part_problem(kind: str, part: str, detail: str) -> Problem:
    """What is wrong with one part of a form."""
    return problem(kind, f"{part}: {detail}", (FieldError(pointer((part,)), detail),))


def json_problem(error: NotJson | Refused) -> Problem:
    """What is wrong with a JSON body."""
    if isinstance(error, NotJson):
        return problem("malformed-json", f"The body cannot be read as JSON. {error}")
    fields = counted(len(error.errors), "field")
    return problem("invalid-request", f"The request has {fields} wrong.", error.errors)


def answer(report: Report, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The HTTP answer of a report."""
    # A refusal is of one moment: without a word against it, some may be kept (RFC 9110, 15.1).
    all_headers = {"Cache-Control": "no-store", **(headers or {})}
    return JSONResponse(
        report.to_json(), KINDS[report.kind].status, headers=all_headers, media_type=MEDIA_TYPE
    )


OF_A_BODY = ("malformed-json", "too-slow", "too-large", "unsupported-media-type", "invalid-request")
"""Problems of a JSON body."""

OF_A_CASE = ("not-found", "damaged", "unusable-input")
"""Problems of a case that is read, under a request or without one."""


def documented(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries of the problems that a route may answer."""
    return {
        status: {
            "description": " ".join(KINDS[k].meaning for k in kinds if KINDS[k].status == status),
            # By name: as a model it would be stated as plain JSON. JobModel holds one, so it is described.
            "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemModel.__name__}"}}},
        }
        for status in sorted({KINDS[k].status for k in kinds})
    }


def install(app: FastAPI) -> None:
    """Answer every error of `app` as a problem."""

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> JSONResponse:
        return answer(error.report, _later(error.report) | dict(error.headers))

    @app.exception_handler(ServiceError)
    async def _refused(request: Request, error: ServiceError) -> JSONResponse:
        refused = problem_of(error)
        return answer(refused.report, refused.headers)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        kind = next((name for name, k in KINDS.items() if k.status == error.status_code), "failed")
        return answer(
            Report(kind, f"{request.method} {request.url.path}: {KINDS[kind].meaning}"), error.headers
        )

    @app.exception_handler(RequestValidationError)
    async def _parameters(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = tuple(FieldError(pointer(e["loc"]), e["msg"]) for e in error.errors())
        return answer(Report("invalid-request", "A parameter of the address is wrong.", errors))

    @app.exception_handler(Unavailable)
    async def _unavailable(request: Request, error: Unavailable) -> JSONResponse:
        _log.error("%s", error)
        return answer(Report("unavailable", str(error)), {"Retry-After": str(RETRY_AFTER_S)})

    @app.exception_handler(OSError)
    async def _disk(request: Request, error: OSError) -> JSONResponse:
        _log.error("%s %s", request.method, request.url.path, exc_info=error)
        return answer(disk_report(error))

    @app.exception_handler(Exception)
    async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
        # The web server logs the traceback; the client gets none of it.
        return answer(Report("failed", "The service failed unexpectedly. Its log says more."))
