"""Conditional: ETags, and requests that depend on them (RFC 9110, 13.1)."""

import re
from typing import Any

from fastapi import Request, Response

from service.problems import problem

_TAG = re.compile(r'(?:W/)?"([^"]*)"')

IF_NONE_MATCH: dict[str, Any] = {
    "in": "header",
    "name": "If-None-Match",
    "schema": {"type": "string"},
    "description": "An ETag, or several: 304 where one is current.",
}
IF_MATCH: dict[str, Any] = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string"},
    "description": "An ETag, or several: 412 where none is current.",
}

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "What the client has is current.", "content": {}}
}


def unless_known(request: Request, etag: str) -> Response | None:
    """304 where the client has what `etag` names, else None."""
    asked = request.headers.getlist("if-none-match")
    return Response(status_code=304, headers={"ETag": etag}) if asked and _matches(asked, etag) else None


def refuse_outdated(request: Request, etag: str) -> None:
    """Raises Problem where the client insists on another version than `etag` names."""
    asked = request.headers.getlist("if-match")
    if asked and not _matches(asked, etag):
        raise problem("precondition-failed", f"It is {etag} now. Read it again, then decide.")


def _matches(asked: list[str], etag: str) -> bool:
    """The weak comparison: what is named is never changed in place, but for jobs, whose tags are weak."""
    given = ",".join(asked)
    return given.strip() == "*" or etag.removeprefix("W/").strip('"') in _TAG.findall(given)
