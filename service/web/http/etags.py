"""ETags, and requests that depend on them (RFC 9110, 13.1).

All tags are strong. A case and a result are named by their content; a job's tag is the number of its last
event, because a job changes only with an event. A compressed answer has a tag of its own
(service.web.middleware.gzip_etags), and a client may send either one.
"""

import re
from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response

from service.web.middleware.gzip_etags import SUFFIX
from service.web.problem_answers import problem

_TAG = re.compile(r'(W/)?("[^"]*")')

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
    "description": "An ETag, or several: 412 where none is current. Weak ones never are.",
}

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "What the client has is current.", "content": {}}
}


def unless_known(request: Request, etag: str, headers: Mapping[str, str] | None = None) -> Response | None:
    """304 if the client has what `etag` names, else None.

    `headers` are those of the 200. A client replaces the headers that it has stored by those of a 304 (RFC
    9111, 3.2). So a 304 with fewer headers would change what is stored: with the middleware's default content
    policy in place of the page's own, the stored page would have no style and no script.
    """
    matched = _first_match(request.headers.getlist("if-none-match"), etag, weak_too=True)
    return (
        None if matched is None else Response(status_code=304, headers={**(headers or {}), "ETag": matched})
    )


def refuse_outdated(request: Request, etag: str) -> None:
    """Raises Problem if the client requires another version than `etag` names."""
    header_values = request.headers.getlist("if-match")
    if header_values and _first_match(header_values, etag, weak_too=False) is None:
        raise problem("precondition-failed", f"It is {etag} now. Read it again, then decide.")


def _first_match(header_values: list[str], etag: str, weak_too: bool) -> str | None:
    """The first of the tags that names the same as `etag`, compressed or not; `etag` for any, None if there
    is none. If-None-Match compares weak tags like strong ones, If-Match accepts none (13.1)."""
    listed = ",".join(header_values)
    if listed.strip() == "*":
        return etag
    current = (etag, f'{etag[:-1]}{SUFFIX}"')
    tags = (tag for weak, tag in _TAG.findall(listed) if weak_too or not weak)
    return next((tag for tag in tags if tag in current), None)
