"""Problems: what the service answers when it cannot do what was asked (RFC 9457).

Every kind has a name, a status and a meaning; `type` is /v1/problems/{kind}, which answers that meaning.
No problem carries a traceback or a path of this machine.
"""

import errno
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anatomy.errors import AnatomyError
from planner.records.wording.number_text import counted
from service.host.damaged_file import DamagedFile
from service.schemas.json.strict import FieldError, NotJson, Refused, pointer


@dataclass(frozen=True)
class ProblemType:
    """A kind of problem: its HTTP status, a title, and what it means."""

    status: int
    title: str
    meaning: str


KINDS: dict[str, ProblemType] = {
    "malformed-json": ProblemType(
        400, "Malformed JSON", "The body is no JSON text, or one that is ambiguous."
    ),
    "malformed-upload": ProblemType(
        400, "Malformed upload", "The multipart form is damaged, or lacks a part."
    ),
    "bad-header": ProblemType(400, "Bad header", "A header of the request cannot be read."),
    "no-key": ProblemType(
        401, "No key", "The service asks for an API key, and this request has none that is valid."
    ),
    "not-local": ProblemType(403, "Not a local request", "Without API keys only this machine is served."),
    "foreign-page": ProblemType(
        403, "Foreign page", "A page of another origin asks, which is not among those that may."
    ),
    "not-found": ProblemType(404, "Not found", "There is nothing of that name."),
    "method-not-allowed": ProblemType(405, "Method not allowed", "The address does not offer that method."),
    "too-slow": ProblemType(
        408, "Too slow", "The body did not arrive; the connection was waited for in vain."
    ),
    "conflict": ProblemType(
        409,
        "Conflict",
        "What is stored does not allow it: a job uses it, or plan and case do not fit.",
    ),
    "damaged": ProblemType(
        409,
        "Damaged file",
        "A file in the service's store is damaged. The detail names it and says how to bring it back.",
    ),
    "precondition-failed": ProblemType(
        412, "Precondition failed", "What If-Match names is not what is there now."
    ),
    "too-large": ProblemType(
        413, "Too large", "The body, or what it unpacks to, is larger than this service takes."
    ),
    "unsupported-media-type": ProblemType(
        415, "Unsupported media type", "The body is of another type than needed."
    ),
    "invalid-request": ProblemType(
        422, "Invalid request", "Fields are unknown, of the wrong type, or out of range."
    ),
    "unusable-input": ProblemType(
        422, "Unusable input", "The case's files, or what is asked of them, cannot be used."
    ),
    "key-reused": ProblemType(
        422, "Idempotency-Key reused", "The key came with another request before, and cannot mean both."
    ),
    "limit-reached": ProblemType(
        422, "Limit reached", "The job took more time or memory than the service gives to one."
    ),
    "too-many-requests": ProblemType(
        429, "Too many requests", "This owner's requests, or open jobs, are as many as they may be."
    ),
    "failed": ProblemType(500, "Failed", "The service failed. The fault is its own, not the request's."),
    "busy": ProblemType(503, "Busy", "Too many jobs wait. Try again later."),
    "unavailable": ProblemType(503, "Unavailable", "The database or the store is away. Try again later."),
    "no-room": ProblemType(
        507,
        "No room",
        "The service's disk is full, or cannot be written, or the owner keeps as much as he may.",
    ),
}

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What an operating system says of a disk that is full."""

NO_ROOM = (*FULL, errno.EROFS, errno.EACCES, errno.EPERM)
"""What an operating system says of a disk that is full or cannot be written."""


_FLAG = re.compile(r"--(names|target|ct|mesh-axes)\b")

REQUEST_SECTIONS = (
    *("target", "needle", "clearance_mm", "roles", "pose", "search", "ranking", "seeds"),
    *("needle_set", "prescription", "robustness", "needles"),
)
"""What a body may hold: a request's parts, and what was found in a patient."""

TABLES = ("clearance_mm", "roles", "prescription/organ_goals")
"""Where what follows is one name, whatever is in it."""


@dataclass(frozen=True)
class Report:
    """A problem as a value: jobs keep it, answers carry it."""

    kind: str
    detail: str
    errors: tuple[FieldError, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """RFC 9457 members."""
        kind = KINDS[self.kind]
        return {
            "type": type_of(self.kind),
            "title": kind.title,
            "status": kind.status,
            "detail": self.detail,
            "errors": [{"pointer": e.pointer, "detail": e.detail} for e in self.errors],
        }


@dataclass
class Problem(Exception):
    """Raised by routes; answered as its report."""

    report: Report
    headers: Mapping[str, str] = field(default_factory=dict)


def type_of(kind: str) -> str:
    """The `type` of a problem of that kind."""
    return f"/v1/problems/{kind}"


def problem(kind: str, detail: str, errors: Sequence[FieldError] = ()) -> Problem:
    """A problem to raise."""
    return Problem(Report(kind, detail, tuple(errors)))


def part_problem(kind: str, part: str, detail: str) -> Problem:
    """What is wrong with one part of a form."""
    return problem(kind, f"{part}: {detail}", (FieldError(pointer((part,)), detail),))


def json_problem(error: NotJson | Refused) -> Problem:
    """What is wrong with a JSON body."""
    if isinstance(error, NotJson):
        return problem("malformed-json", f"The body cannot be read as JSON. {error}")
    fields = counted(len(error.errors), "field")
    return problem("invalid-request", f"The request has {fields} wrong.", error.errors)


def damage_report(error: DamagedFile) -> Report:
    """What is wrong with a file of the store."""
    place = f"The file {error.field} in the service's data folder is damaged"
    return Report("damaged", f"{place}: {error.value}. {error.remedy}")


def input_report(error: AnatomyError, folder: Path, parts: Mapping[str, str], request_at: str = "") -> Report:
    """What is wrong with a case in `folder`, or with what is asked of it.

    `parts` says which part of the upload a file's name belongs to, `request_at` where in the body the request
    stands. Paths lose the folder, and advice for the
    command line is turned into advice for the form. A file of the store that is damaged is no fault of the
    case.
    """
    if isinstance(error, DamagedFile):
        return damage_report(error)
    where, value, remedy = (
        text.replace(f"{folder}/", "").replace(str(folder), "the input")
        for text in (error.field, error.value, error.remedy)
    )
    remedy = _FLAG.sub(lambda flag: f"the part '{flag[1].replace('-', '_')}'", remedy)
    asked = where.partition("/")[0] in REQUEST_SECTIONS and where not in parts
    at = request_at + _request_pointer(where) if asked else f"/{parts.get(where, 'file')}"
    detail = f"{value}. {remedy}" if asked else f"{where}: {value}. {remedy}"
    return Report("unusable-input", f"{where}: {value}. {remedy}", (FieldError(at, detail),))


def _request_pointer(where: str) -> str:
    """The JSON pointer to the field that an error names."""
    for table in TABLES:
        if where.startswith(f"{table}/"):
            return pointer((*table.split("/"), where.removeprefix(f"{table}/")))
    return pointer(where.split("/"))


def disk_report(error: OSError) -> Report:
    """What is wrong where a disk could not be read or written."""
    if error.errno in NO_ROOM:
        return Report("no-room", "The service's disk is full, or cannot be written.")
    return Report("failed", "The service failed unexpectedly. Its log says more.")
