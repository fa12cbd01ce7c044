"""JSON lines: one line of JSON for each event on stderr, with the request and the job that it belongs to.

The audit log, one line for each answered request, goes to a file of its own (service.logs.audit). A WebSocket
or a stream of events has another line when it is opened, with `"open": true`. Requests without a key, or
refused as too many, get ten lines in a second, and one line that counts the rest (service.logs.keyless).

Both logs escape texts of senders: no part of them ends a line, and none is invisible.
"""

import contextvars
import json
import logging
import sys
from typing import Any, Literal

from service.host.timestamp import rfc3339
from service.logs.rate_limit import RateLimitedHandler

request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("request_id", default=None)
"""The id of the present request."""

job_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("job_id", default=None)
"""The id of the present job."""

AUDIT = logging.getLogger("seedpath.audit")

Format = Literal["json", "text"]


class JsonLines(logging.Formatter):
    """A record as one line of JSON; `extra={"fields": {...}}` adds members."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        content: dict[str, Any] = {
            "time": rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in (("request_id", request_id.get()), ("job_id", job_id.get())):
            if value is not None:
                content[name] = value
        content |= getattr(record, "fields", {})
        if record.exc_info:
            content["traceback"] = self.formatException(record.exc_info)
        return _json(content)


def _json(content: Any) -> str:
    # JSON leaves one ASCII control character unescaped: DEL, which is no C0 character.
    return json.dumps(content).replace("\x7f", "\\u007f")


def in_line(text: str) -> str:
    """A text as it appears inside a JSON string."""
    return _json(text)[1:-1]


class TextLines(logging.Formatter):
    """A record as a line of text; a traceback follows below it."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line."""
        record.message = visible(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        """The traceback, in lines."""
        return "\n".join(map(visible, super().formatException(ei).split("\n")))


def visible(text: str) -> str:
    """The text with all characters escaped that end a line, are invisible, or reverse its direction."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def log_to_stderr(format: Format, level: int = logging.INFO) -> None:
    """Write this process's own log, and warnings of other libraries, to stderr."""
    handler = RateLimitedHandler(sys.stderr)
    text = TextLines("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if format == "json" else text)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("seedpath", "uvicorn.error"):
        logging.getLogger(name).setLevel(level)
