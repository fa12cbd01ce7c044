"""Problems as values: what the service answers if it cannot do what was requested (RFC 9457).

Every kind has a name, a status and a meaning; `type` is /v1/problems/{kind}, which answers that meaning. No
problem contains a traceback or a path of this machine.
"""

from dataclasses import dataclass
from typing import Any

from service.schemas.json.strict import FieldError


@dataclass(frozen=True)
class ProblemType:
    """A kind of problem: its HTTP status, a title, and its meaning."""

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
        403, "Foreign page", "A page of another origin sent the request, and its origin is not allowed."
    ),
    "not-found": ProblemType(404, "Not found", "There is nothing of that name."),
    "method-not-allowed": ProblemType(405, "Method not allowed", "The address does not offer that method."),
    "too-slow": ProblemType(408, "Too slow", "The body did not arrive in time."),
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
        429, "Too many requests", "This owner has as many requests or open jobs as allowed."
    ),
    "failed": ProblemType(500, "Failed", "The service failed. The fault is its own, not the request's."),
    "busy": ProblemType(503, "Busy", "Too many jobs wait. Try again later."),
    "unavailable": ProblemType(503, "Unavailable", "The database or the store is away. Try again later."),
    "no-room": ProblemType(
        507,
        "No room",
        "The service's disk is full, or cannot be written, or the owner keeps as much as allowed.",
    ),
}


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


def type_of(kind: str) -> str:
    """The `type` of a problem of that kind."""
    return f"/v1/problems/{kind}"
