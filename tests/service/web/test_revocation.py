"""A revoked key: its open streams and sockets end within about a second, with real sockets."""

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
"""About a second, on a busy machine; streams send something every 15 s by themselves."""

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


def revoke_key_of(keys: Path, owner: str) -> None:
    revoke(keys, next(key.id for key in listed(keys) if key.owner == owner))


def connect_socket(base: str, case: str, token: str) -> ClientConnection:
    headers = {"Authorization": f"Bearer {token}"}
    return connect(f"{base.replace('http:', 'ws:')}{case}/paths", additional_headers=headers, proxy=None)


def test_sockets_of_a_revoked_key_are_closed_and_others_stay(base: str, keys: Path) -> None:
    tokens = {owner: create(keys, owner) for owner in ("ann", "ben")}
    with client_of(base, tokens["ann"]) as ann, client_of(base, tokens["ben"]) as ben:
        case = ann.post("/v1/cases", json={"builtin": "thorax"}).headers["location"]
        ben.post("/v1/cases", json={"builtin": "thorax"})
    with (
        connect_socket(base, case, tokens["ann"]) as revoked_socket,
        connect_socket(base, case, tokens["ben"]) as other_socket,
    ):
        for socket in (revoked_socket, other_socket):
            socket.send("{")
            assert "malformed-json" in str(socket.recv(timeout=GENEROUS_S))
        revoke_key_of(keys, "ann")
        with pytest.raises(ConnectionClosed) as caught:
            revoked_socket.recv(timeout=SOON_S)
        assert caught.value.rcvd is not None and caught.value.rcvd.code == 1008
        assert caught.value.rcvd.reason == REVOKED
        other_socket.send("{")
        assert "malformed-json" in str(other_socket.recv(timeout=GENEROUS_S))


def test_event_streams_and_waits_of_a_revoked_key_end(base: str, keys: Path) -> None:
    token = create(keys, "ann")
    with client_of(base, token) as ann:
        case = ann.post("/v1/cases", json={"builtin": "thorax"}).headers["location"]
        body = {"random_seed": fakes.UNTIL_CANCELLED}
        job = ann.post(f"{case}/plans", json=body).headers["location"]
        stream = events(ann, job)
        while next(stream)[1] != "progress":
            pass
        revoke_key_of(keys, "ann")
        start = time.monotonic()
        assert list(stream) == []
        assert time.monotonic() - start < SOON_S
        problem(ann.get(f"{job}/events"), "no-key")


def test_a_request_that_waits_for_its_answer_is_refused(base: str, keys: Path) -> None:
    token = create(keys, "ann")

    async def scenario() -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=base, headers=headers, trust_env=False, timeout=600.0) as ann:
            case = (await ann.post("/v1/cases", json={"builtin": "thorax"})).headers["location"]
            body = {"random_seed": fakes.UNTIL_CANCELLED}
            plan_request = asyncio.create_task(
                ann.post(f"{case}/plans", json=body, headers={"Prefer": "wait=500"})
            )
            while not (await ann.get("/v1/jobs")).json()["items"]:
                await asyncio.sleep(0.05)
            revoke_key_of(keys, "ann")
            return await asyncio.wait_for(plan_request, SOON_S)

    problem(asyncio.run(scenario()), "no-key")


def test_an_unreadable_keys_file_closes_open_sockets(base: str, keys: Path) -> None:
    token = create(keys, "ann")
    with client_of(base, token) as ann:
        case = ann.post("/v1/cases", json={"builtin": "thorax"}).headers["location"]
    with connect_socket(base, case, token) as socket:
        keys.write_text("{", encoding="utf-8")
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=SOON_S)


# Without a server


async def messages_until_revoked(
    keys: Path,
    kind: str,
    app: Callable[[Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]],
) -> list[Message]:
    """The messages that `app` sends to a client whose key is revoked meanwhile."""
    create(keys, "ann")
    messages: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(600.0)
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        messages.append(message)

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await app(receive, send)

    revocation = Revocation(Keys(keys))
    scope = {"type": kind, "method": "GET", "path": "/", "headers": []}
    serving = asyncio.create_task(revocation.serve(asgi, listed(keys)[0], scope, receive, send))
    await asyncio.sleep(0.0)
    revoke_key_of(keys, "ann")
    await asyncio.wait_for(serving, SOON_S)
    await asyncio.gather(*revocation._ending)
    return messages


def test_a_late_answer_of_a_sandbox_is_not_sent(keys: Path) -> None:
    async def app(receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await asyncio.sleep(4 * CHECK_KEYS_EVERY_S)
        await send({"type": "websocket.send", "text": "late"})
        assert (await receive())["type"] == "websocket.disconnect"

    messages = asyncio.run(messages_until_revoked(keys, "websocket", app))
    assert [message["type"] for message in messages] == ["websocket.accept", "websocket.close"]


@pytest.mark.parametrize("length", [[], [(b"content-length", b"2")]])
def test_an_answer_of_known_length_is_completed_and_a_stream_ends(
    keys: Path, length: list[tuple[bytes, bytes]]
) -> None:
    async def app(receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        assert (await receive())["type"] == "http.disconnect"
        await asyncio.sleep(0.0)
        await send({"type": "http.response.body", "body": b"b", "more_body": False})

    messages = asyncio.run(messages_until_revoked(keys, "http", app))
    assert b"".join(message.get("body", b"") for message in messages) == (b"ab" if length else b"a")
    assert (
        not messages[-1]["more_body"]
        and len([message for message in messages if message.get("more_body") is False]) == 1
    )


def test_an_answer_that_has_not_started_becomes_a_refusal(keys: Path) -> None:
    async def app(receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.disconnect"
        await asyncio.sleep(CHECK_KEYS_EVERY_S)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"secret", "more_body": False})

    messages = asyncio.run(messages_until_revoked(keys, "http", app))
    assert [message["status"] for message in messages if "status" in message] == [401]
    assert json.loads(messages[-1]["body"])["detail"] == REVOKED
