"""Authentication middleware: every request passes here first and last. It authenticates the caller, checks
the rate limit, and writes the audit log.

Without keys only this machine is served: requests addressed to it by name. With keys, every request under the
API states its owner by `Authorization: Bearer KEY`; a WebSocket from a browser, which cannot set headers, by
the subprotocol `bearer.KEY`.
"""

import logging
import re
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planner import VERSION
from service.host.loopback import is_loopback
from service.logs.audit import has_place
from service.logs.json_lines import AUDIT, in_line, request_id
from service.logs.keyless import KeylessLineLimit
from service.problems import KINDS
from service.web.metrics import Metrics
from service.web.middleware.cors import foreign_page
from service.web.middleware.keys import Key, Keys, KeysError
from service.web.middleware.rate_limit import HeldBytes, RateLimiter, keyless_account, too_many
from service.web.middleware.revocation import Revocation
from service.web.problem_answers import Problem, answer, problem

_log = logging.getLogger("seedpath.auth")

LOCAL = "local"
"""The owner if there are no keys: whoever uses this machine."""

OPEN_TO_ALL = re.compile(r"/(page/([a-z]+/)?[^/]*)?|/v1/(health|version|openapi\.json|problems/[^/]*)")
"""What is answered without a key: it tells nothing about any case. The page asks its user for a key."""

UNNOTED = re.compile(rf"{OPEN_TO_ALL.pattern}|/metrics")
"""What is answered even if nothing can be logged: it tells nothing about any case, only about the service."""

BEARER_PROTOCOL = "bearer."

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")

METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "WEBSOCKET")
"""Methods that metrics distinguish; a client may invent any number of others."""

LONGEST_NOTED = 300
"""Bytes of an address in the audit log, in its escaped form: every real one is shorter."""

EVENT_STREAM = "text/event-stream"
"""The media type of answers that stay open."""

TOO_MANY = KINDS["too-many-requests"].status
"""Requests answered with this status are logged like those without a key."""

_HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")

PASSED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "via", "x-real-ip")
"""Headers of proxies: behind a proxy, all its clients would be taken for this machine."""

HEADERS = {
    "Seedpath-Version": VERSION,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-site",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Headers of every answer; the page has a content policy of its own."""

OWN = "private, no-cache"
"""How an owner's answers may be cached: only by that client, and revalidated each time by their ETag. What
was removed is gone, and a revoked key reads no more (RFC 9111, 5.2.2)."""


@dataclass
class _Seen:
    """What is known about a request, for its log line, if there is a place for one. The line is written once,
    or twice for requests that stay open. `account` is the name for the rate limiter."""

    is_noted: bool
    is_written: bool = False
    owner: str | None = None
    account: str = ""
    key: Key | None = None
    status: int = 0


class AuthMiddleware:
    """ASGI middleware around the whole app."""

    def __init__(
        self,
        app: ASGIApp,
        keys: Keys | None,
        origins: Sequence[str],
        rate_limiter: RateLimiter,
        metrics: Metrics,
        cors: Callable[[ASGIApp], ASGIApp] | None = None,
    ) -> None:
        self._app = app
        self._keys, self._origins = keys, frozenset(origins)
        self._revocation = None if keys is None else Revocation(keys)
        self._rate_limiter, self._metrics = rate_limiter, metrics
        self._keyless_lines = KeylessLineLimit(_log_left_out)
        # Inside the logging, and around refusals, so that pages can read refusals, too.
        self._admitted = self._pass if cors is None else cors(self._pass)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            self._keyless_lines.end_second()
            return
        id = _id_of(scope)
        token = request_id.set(id)
        observed, started = _Seen(has_place(scope.get("method", "WEBSOCKET"))), time.monotonic()
        scope.setdefault("state", {})["seen"] = observed

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                observed.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = id
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if not OPEN_TO_ALL.fullmatch(scope["path"]):
                    headers.setdefault("Cache-Control", OWN)
                is_stream = headers.get("content-type", "").startswith(EVENT_STREAM)
                self._audit(scope, observed, time.monotonic() - started, stays_open=is_stream)
            elif message["type"] == "websocket.accept":
                observed.status = 101
                self._audit(scope, observed, time.monotonic() - started, stays_open=True)
            await send(message)

        self._metrics.under_way.inc()
        try:
            await self._admitted(scope, receive, send_with_headers)
        finally:
            self._metrics.under_way.dec()
            self._note(scope, observed, time.monotonic() - started)
            request_id.reset(token)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        observed: _Seen = scope["state"]["seen"]
        try:
            self._admit(scope, observed)
            assert observed.owner is not None
            if not observed.is_noted and not UNNOTED.fullmatch(scope["path"]):
                raise _unnoted()
            wait_s = self._rate_limiter.take(observed.account)
            if wait_s is not None:
                raise too_many(wait_s)
        except Problem as error:
            refused = error if observed.owner is not None else self._refused_keyless(error, scope, observed)
            observed.status = KINDS[refused.report.kind].status
            await _refuse(refused, scope, receive, send)
            return
        held_bytes = HeldBytes(self._rate_limiter, observed.account)
        scope["state"] |= {"owner": observed.owner, "held": held_bytes}
        try:
            if self._revocation is None or observed.key is None:
                await self._app(scope, receive, send)
            else:
                await self._revocation.serve(self._app, observed.key, scope, receive, send)
        finally:
            held_bytes.release(held_bytes.size)
            self._rate_limiter.end_request(observed.account)

    def _admit(self, scope: Scope, observed: _Seen) -> None:
        """Record the owner of the request. Raises Problem."""
        headers = Headers(scope=scope)
        self._refuse_foreign_pages(headers)
        if self._keys is None:
            _refuse_others(scope, headers)
            observed.owner = observed.account = LOCAL
            return
        key = self._bearer(headers)
        if key is not None:
            observed.owner, observed.account, observed.key = key.owner, key.owner, key
        elif OPEN_TO_ALL.fullmatch(scope["path"]):
            observed.owner, observed.account = "anybody", keyless_account(_client_of(scope))
        else:
            detail = "Send a key that is valid: Authorization: Bearer KEY. `seedpath keys create` makes one."
            raise Problem(problem("no-key", detail).report, {"WWW-Authenticate": "Bearer"})

    def _refused_keyless(self, refused: Problem, scope: Scope, observed: _Seen) -> Problem:
        """The answer to a request without a valid key: such requests have a rate limit, too."""
        observed.account = keyless_account(_client_of(scope))
        if refused.report.kind == "unavailable":
            # The keys cannot be read: this one may be valid.
            return refused
        wait_s = self._rate_limiter.spend(observed.account)
        return refused if wait_s is None else too_many(wait_s)

    def _refuse_foreign_pages(self, headers: Headers) -> None:
        """A page of another origin can make a browser send forms and open WebSockets here without
        permission."""
        origin = headers.get("origin")
        if origin is None or origin in self._origins:
            return
        if origin.partition("://")[2] != headers.get("host"):
            raise foreign_page(origin)

    def _bearer(self, headers: Headers) -> Key | None:
        assert self._keys is not None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            offered = [p.strip() for p in headers.get("sec-websocket-protocol", "").split(",")]
            token = next((p for p in offered if p.startswith(BEARER_PROTOCOL)), "")
            token = token.removeprefix(BEARER_PROTOCOL)
        try:
            return self._keys.bearer(token.strip())
        except (KeysError, OSError) as error:
            _log.error("the keys cannot be read: %s", error)
            raise problem("unavailable", "The service cannot read its keys. Its log says more.") from None

    def _note(self, scope: Scope, observed: _Seen, seconds: float) -> None:
        method = scope.get("method", "WEBSOCKET")
        # The route, not the address: one metric for each case would grow without limit.
        route = getattr(scope.get("route"), "path_format", "none")
        counted = method if method in METHODS else "other"
        self._metrics.requests.labels(counted, route, str(observed.status)).inc()
        self._metrics.seconds.labels(counted, route).observe(seconds)
        self._audit(scope, observed, seconds)

    def _audit(self, scope: Scope, observed: _Seen, seconds: float, *, stays_open: bool = False) -> None:
        """Write the audit line of a request, before it is answered; another one at the end of a request that
        stays open, which may be hours later. `seconds` are those until the line."""
        if not observed.is_noted or observed.is_written:
            return
        observed.is_written = not stays_open
        client = _client_of(scope)
        is_known = (observed.key is not None or observed.owner == LOCAL) and observed.status != TOO_MANY
        if not is_known and not self._keyless_lines.has_line(observed.account or keyless_account(client)):
            return
        fields = {
            "owner": observed.owner,
            "key_id": None if observed.key is None else observed.key.id,
            "status": observed.status,
            "seconds": round(seconds, 4),
            "client": client,
        }
        if stays_open:
            fields["open"] = True
        method = scope.get("method", "WEBSOCKET")[:20]
        AUDIT.info("%s %s", method, _noted(scope["path"]), extra={"fields": fields})


def _log_left_out(account: str, count: int) -> None:
    """Write the audit line for requests that have no line of their own."""
    fields = {"account": account, "left_out": count}
    AUDIT.info("%d more requests in a second, %s", count, account, extra={"fields": fields})


def _noted(text: str) -> str:
    """The beginning of a text, as much as the audit log takes: one character may take twelve bytes there."""
    if len(in_line(text[:LONGEST_NOTED])) <= LONGEST_NOTED:
        return text[:LONGEST_NOTED]
    room = LONGEST_NOTED
    for at, sign in enumerate(text):
        room -= len(in_line(sign))
        if room < 0:
            return text[:at]
    return text


def _refuse_others(scope: Scope, headers: Headers) -> None:
    """Raises Problem for a request that was not sent from this machine, and to it by name: a page whose own
    name was resolved to 127.0.0.1 sends that name as host."""
    match = _HOST.fullmatch(headers.get("host", ""))
    if match is None or not is_loopback(match[1]) or len(headers.getlist("host")) != 1:
        raise problem("not-local", "The Host header names another machine. Use 127.0.0.1 or localhost.")
    client = scope.get("client")
    if client is not None and not is_loopback(client[0]):
        raise problem("not-local", "The request comes from another machine, and the service has no API keys.")
    for name in PASSED_ON:
        if name in headers:
            raise problem("not-local", f"A proxy passed this on ({name}), and the service has no API keys.")


def _unnoted() -> Problem:
    """What is answered to requests of which no line could tell."""
    return problem(
        "no-room",
        "The audit log cannot be written, and what is not noted is not answered. Whoever runs the service "
        "must make room for it, or mend its disk.",
    )


async def _refuse(refused: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await answer(refused.report, refused.headers)(scope, receive, send)
        return
    await send({"type": "websocket.close", "code": 1008, "reason": refused.report.detail[:120]})


def _client_of(scope: Scope) -> str:
    """The address from which the request came, as the server or the proxy in front of it states it."""
    return _noted(str((scope.get("client") or ("?",))[0]))


def _id_of(scope: Scope) -> str:
    """The id that a proxy gave the request, or a new one."""
    request_id: Any = Headers(scope=scope).get("x-request-id", "")
    return request_id if _REQUEST_ID.fullmatch(request_id) else uuid.uuid4().hex
