"""A revoked key: what is open under it ends within a second or so; through real sockets."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import plan_work as fakes
import pytest
from rest_calls import GENEROUS_S, client_of, events, problem
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from service.operations.job_tasks import Work
from service.settings import Settings
from service.web.app import create_app
from service.web.middleware.keys import Keys, create, listed, revoke
from service.web.middleware.revocation import CHECK_KEYS_EVERY_S, REVOKED, Revocation
from service.web.server import serve_in_background

SOON_S = 10.0
"""A second or so, on a machine that does much else; streams say something every 15 s by themselves."""

Message = dict[str, Any]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def base(tmp_path: Path, keys: Path) -> Iterator[str]:
    create(keys, "admin")
    settings = Settings(data_dir=tmp_path / "data", keys_file=keys)
    with serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as address:
        yield address


def revoke_of(keys: Path, owner: str) -> None:
    revoke(keys, next(key.id for key in listed(keys) if key.owner == owner))


def socket_of(base: str, case: str, token: str) -> ClientConnection:
    headers = {"Authorization": f"Bearer {token}"}
    return connect(f"{base.replace('http:', 'ws:')}{case}/paths", additional_headers=headers, proxy=None)


def test_sockets_of_a_revoked_key_are_closed_and_others_stay(base: str, keys: Path) -> None:
    tokens = {owner: create(keys, owner) for owner in ("ann", "ben")}
    with client_of(base, tokens["ann"]) as ann, client_of(base, tokens["ben"]) as ben:
        case = ann.post("/v1/cases", json={"builtin": "thorax"}).headers["location"]
        ben.post("/v1/cases", json={"builtin": "thorax"})
    with socket_of(base, case, tokens["ann"]) as one, socket_of(base, case, tokens["ben"]) as other:
        for socket in (one, other):
            socket.send("{")
            assert "malformed-json" in str(socket.recv(timeout=GENEROUS_S))
        revoke_of(keys, "ann")
        with pytest.raises(ConnectionClosed) as closed:
            one.recv(timeout=SOON_S)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008
        assert closed.value.rcvd.reason == REVOKED
        other.send("{")
        assert "malformed-json" in str(other.recv(timeout=GENEROUS_S))


def test_event_streams_and_waits_of_a_revoked_key_end(base: str, keys: Path) -> None:
    token = create(keys, "ann")
    with client_of(base, token) as ann:
        case = ann.post("/v1/cases", json={"builtin": "thorax"}).headers["location"]
        body = {"random_seed": fakes.UNTIL_CANCELLED}
        job = ann.post(f"{case}/plans", json=body).headers["location"]
        stream = events(ann, job)
        while next(stream)[1] != "progress":
            pass
        revoke_of(keys, "ann")
        start = time.monotonic()
        assert list(stream) == []
        assert time.monotonic() - start < SOON_S
        problem(ann.get(f"{job}/events"), "no-key")


def test_an_answer_that_is_waited_for_is_refused(base: str, keys: Path) -> None:
    token = create(keys, "ann")

    async def asked() -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=base, headers=headers, trust_env=False, timeout=600.0) as ann:
            case = (await ann.post("/v1/cases", json={"builtin": "thorax"})).headers["location"]
            body = {"random_seed": fakes.UNTIL_CANCELLED}
            waiting = asyncio.create_task(
                ann.post(f"{case}/plans", json=body, headers={"Prefer": "wait=500"})
            )
            while not (await ann.get("/v1/jobs")).json()["items"]:
                await asyncio.sleep(0.05)
            revoke_of(keys, "ann")
            return await asyncio.wait_for(waiting, SOON_S)

    problem(asyncio.run(asked()), "no-key")


def test_keys_that_cannot_be_read_end_what_is_open(base: str, keys: Path) -> None:
    token = create(keys, "ann")
    with client_of(base, token) as ann:
        case = ann.post("/v1/cases", json={"builtin": "thorax"}).headers["location"]
    with socket_of(base, case, token) as socket:
        keys.write_text("{", encoding="utf-8")
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=SOON_S)


# Without a server


async def served(
    keys: Path,
    kind: str,
    app: Callable[[Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]],
) -> list[Message]:
    """What a client is sent of `app`, whose key is revoked while it is open."""
    create(keys, "ann")
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(600.0)
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await app(receive, send)

    revocation = Revocation(Keys(keys))
    scope = {"type": kind, "method": "GET", "path": "/", "headers": []}
    serving = asyncio.create_task(revocation.serve(asgi, listed(keys)[0], scope, receive, send))
    await asyncio.sleep(0.0)
    revoke_of(keys, "ann")
    await asyncio.wait_for(serving, SOON_S)
    await asyncio.gather(*revocation._ending)
    return sent


def test_a_late_answer_of_a_sandbox_is_not_sent(keys: Path) -> None:
    async def app(receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await asyncio.sleep(4 * CHECK_KEYS_EVERY_S)
        await send({"type": "websocket.send", "text": "late"})
        assert (await receive())["type"] == "websocket.disconnect"

    sent = asyncio.run(served(keys, "websocket", app))
    assert [m["type"] for m in sent] == ["websocket.accept", "websocket.close"]


@pytest.mark.parametrize("length", [[], [(b"content-length", b"2")]])
def test_an_answer_of_known_length_goes_out_whole_and_a_stream_ends(
    keys: Path, length: list[tuple[bytes, bytes]]
) -> None:
    async def app(receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        assert (await receive())["type"] == "http.disconnect"
        await asyncio.sleep(0.0)
        await send({"type": "http.response.body", "body": b"b", "more_body": False})

    sent = asyncio.run(served(keys, "http", app))
    assert b"".join(m.get("body", b"") for m in sent) == (b"ab" if length else b"a")
    assert not sent[-1]["more_body"] and len([m for m in sent if m.get("more_body") is False]) == 1


def test_an_answer_that_has_not_begun_is_a_refusal(keys: Path) -> None:
    async def app(receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.disconnect"
        await asyncio.sleep(CHECK_KEYS_EVERY_S)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"secret", "more_body": False})

    sent = asyncio.run(served(keys, "http", app))
    assert [m["status"] for m in sent if "status" in m] == [401]
    assert json.loads(sent[-1]["body"])["detail"] == REVOKED
