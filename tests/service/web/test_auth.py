"""Who may ask: keys, owners, allowances, headers, the audit log; through a real server."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import httpx
import plan_work as fakes
import pytest
from rest_calls import client_of, healthy, problem, until, upload
from service_process import eventually
from websockets.sync.client import connect

from service.logs.audit import audit_to
from service.logs.json_lines import AUDIT
from service.logs.keyless import MOST_PER_S
from service.operations.job_tasks import Work
from service.settings import Settings
from service.web.app import create_app
from service.web.middleware.keys import OWNER, create, listed, revoke
from service.web.middleware.rate_limit import RateLimiter, keyless_account
from service.web.server import serve_in_background

ORIGIN = "https://gui.example"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gate")


@pytest.fixture(scope="module")
def tokens(folder: Path) -> dict[str, str]:
    return {owner: create(folder / "keys.json", owner) for owner in ("ann", "ben")}


@pytest.fixture(scope="module")
def base(folder: Path, tokens: dict[str, str]) -> Iterator[str]:
    settings = Settings(
        data_dir=folder / "data", keys_file=folder / "keys.json", cors_origins=(ORIGIN,), max_jobs_of_owner=2
    )
    app = create_app(settings, Work(fakes.describe, fakes.plan))
    handler = audit_to(settings.audit)
    with serve_in_background(app) as address:
        yield address
    AUDIT.removeHandler(handler)
    handler.close()


@pytest.fixture
def ann(base: str, tokens: dict[str, str]) -> Iterator[httpx.Client]:
    with client_of(base, tokens["ann"]) as client:
        yield client


@pytest.fixture
def ben(base: str, tokens: dict[str, str]) -> Iterator[httpx.Client]:
    with client_of(base, tokens["ben"]) as client:
        yield client


@pytest.fixture
def anybody(base: str) -> Iterator[httpx.Client]:
    with client_of(base, None) as client:
        yield client


def test_without_a_key_nothing_is_disclosed(anybody: httpx.Client, tokens: dict[str, str]) -> None:
    for method, address in (
        ("GET", "/v1/cases"),
        ("POST", "/v1/cases"),
        ("GET", "/v1/jobs"),
        ("GET", "/metrics"),
        ("GET", "/v1/nowhere"),
        ("OPTIONS", "/v1/cases"),
    ):
        answer = anybody.request(method, address)
        problem(answer, "no-key")
        assert answer.headers["www-authenticate"] == "Bearer"
    for wrong in ("Bearer x", f"Bearer {tokens['ann']}x", f"Basic {tokens['ann']}", "Bearer"):
        problem(anybody.get("/v1/cases", headers={"Authorization": wrong}), "no-key")
    assert healthy(anybody)["workers"] == 1
    for address in ("/v1/version", "/v1/openapi.json", "/v1/problems/no-key"):
        assert anybody.get(address).status_code == 200


def test_what_is_anothers_is_not_there(ann: httpx.Client, ben: httpx.Client, folder: Path) -> None:
    parts = upload(("file", "a.nii", b"shared image"))
    case = ann.post("/v1/cases", **parts).headers["location"]
    job = ann.post(f"{case}/plans", json={}).headers["location"]
    plan = until(ann, job, "done")["plan"]
    for address in (case, job, f"{job}/events", plan):
        problem(ben.get(address), "not-found")
    for address in (case, job, plan):
        problem(ben.delete(address), "not-found")
    problem(ben.post(f"{case}/plans", json={}), "not-found")
    problem(ben.post(f"{plan}:replan", json={"needles": []}), "not-found")
    for listing in ("/v1/cases", "/v1/plans", "/v1/jobs"):
        assert ben.get(listing).json()["items"] == []
        assert len(ann.get(listing).json()["items"]) == 1
    # The same bytes are one case, which each holds for himself.
    response = ben.post("/v1/cases", **parts)
    assert response.json()["id"] == case.rpartition("/")[2]
    # He is not told that another was first; only that he has it, once he has.
    assert response.status_code == 201 and response.headers["location"] == case
    assert ben.post("/v1/cases", **parts).status_code == 200
    assert ben.delete(case).status_code == 204
    assert ann.get(case).status_code == 200
    assert ann.delete(plan).status_code == 204 and ann.delete(case).status_code == 204
    assert list((folder / "data" / "cases").iterdir()) == []
    assert list((folder / "data" / "plans").iterdir()) == []


def test_a_revoked_key_is_refused_at_once(base: str, folder: Path) -> None:
    token = create(folder / "keys.json", "cyd")
    with client_of(base, token) as cyd:
        assert cyd.get("/v1/cases").status_code == 200
        revoke(folder / "keys.json", next(k.id for k in listed(folder / "keys.json") if k.owner == "cyd"))
        problem(cyd.get("/v1/cases"), "no-key")


def test_an_owner_has_his_share_of_jobs(ann: httpx.Client, ben: httpx.Client) -> None:
    cases = [c.post("/v1/cases", json={"builtin": "thorax"}).headers.get("location") for c in (ann, ben)]
    case = f"/v1/cases/{ann.post('/v1/cases', json={'builtin': 'thorax'}).json()['id']}"
    assert case in cases
    body = {"random_seed": fakes.UNTIL_CANCELLED}
    jobs = [ann.post(f"{case}/plans", json=body).headers["location"] for _ in range(2)]
    refused = ann.post(f"{case}/plans", json=body)
    problem(refused, "too-many-requests")
    waiting = ben.post(f"{case}/plans", json=body)
    assert waiting.status_code == 202
    for client, job in ((ann, jobs[0]), (ann, jobs[1]), (ben, waiting.headers["location"])):
        client.delete(job)


def test_every_answer_has_its_headers(ann: httpx.Client, anybody: httpx.Client) -> None:
    for answer in (ann.get("/v1/version"), ann.get("/v1/nowhere"), anybody.get("/v1/cases")):
        assert answer.headers["seedpath-version"] == ann.get("/v1/version").json()["software"].split()[-1]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert len(answer.headers["x-request-id"]) == 32
    given = ann.get("/v1/version", headers={"X-Request-ID": "mine-1"})
    assert given.headers["x-request-id"] == "mine-1"
    bad = ann.get("/v1/version", headers={"X-Request-ID": 'a"b'})
    assert len(bad.headers["x-request-id"]) == 32


def test_pages_of_listed_origins_alone_may_ask(
    ann: httpx.Client, anybody: httpx.Client, folder: Path
) -> None:
    preflight_headers = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    allowed = anybody.options("/v1/cases", headers={"Origin": ORIGIN} | preflight_headers)
    assert allowed.status_code == 200 and allowed.headers["access-control-allow-origin"] == ORIGIN
    head = anybody.options(
        "/v1/cases",
        headers={"Origin": ORIGIN} | preflight_headers | {"Access-Control-Request-Method": "HEAD"},
    )
    assert head.status_code == 200 and "HEAD" in head.headers["access-control-allow-methods"]
    other = anybody.options("/v1/cases", headers={"Origin": "https://evil.example"} | preflight_headers)
    problem(other, "foreign-page")
    assert "access-control-allow-origin" not in other.headers
    unoffered = {"Access-Control-Request-Method": "PUT"}
    put = anybody.options("/v1/cases", headers={"Origin": ORIGIN} | unoffered)
    assert "DELETE" in problem(put, "foreign-page")["detail"]
    for preflight in (allowed, other, put):
        assert "default-src 'none'" in preflight.headers["content-security-policy"]
        id = preflight.headers["x-request-id"]
        eventually(lambda id=id: id in (folder / "data" / "audit.jsonl").read_text(encoding="utf-8"))
    answer = ann.get("/v1/version", headers={"Origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"Allow", "Content-Location", "ETag", "Location"} <= set(exposed)
    refused = anybody.get("/v1/cases", headers={"Origin": ORIGIN})
    assert refused.headers["access-control-allow-origin"] == ORIGIN


def test_a_page_elsewhere_cannot_send_forms(ann: httpx.Client, base: str) -> None:
    evil = {"Origin": "https://evil.example"}
    problem(ann.post("/v1/cases", headers=evil, **upload(("file", "a.nii", b"a"))), "foreign-page")
    problem(ann.get("/v1/version", headers={"Origin": "null"}), "foreign-page")
    assert ann.get("/v1/version", headers={"Origin": base}).status_code == 200


def test_keys_that_cannot_be_read_let_nobody_in(tmp_path: Path) -> None:
    token = create(tmp_path / "keys.json", "ann")
    settings = Settings(data_dir=tmp_path / "data", keys_file=tmp_path / "keys.json")
    settings = settings.model_copy(update={"requests_per_s": 0.1, "requests_burst": 2})
    with (
        serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as base,
        client_of(base, token) as client,
    ):
        assert client.get("/v1/cases").status_code == 200
        (tmp_path / "keys.json").write_text("{", encoding="utf-8")
        # As often as he asks: he may have a good key.
        for _ in range(5):
            problem(client.get("/v1/cases"), "unavailable")
        (tmp_path / "keys.json").unlink()
        problem(client.get("/v1/cases"), "unavailable")


def test_it_is_noted_who_asked_for_what(ann: httpx.Client, folder: Path, tokens: dict[str, str]) -> None:
    id = ann.get("/v1/cases").headers["x-request-id"]
    last = ann.get(f"/v1/plans/{'0' * 64}").headers["x-request-id"]
    audit = folder / "data" / "audit.jsonl"
    # A line is written before its answer.
    text = audit.read_text(encoding="utf-8")
    assert last in text
    lines = [json.loads(line) for line in text.splitlines()]
    noted, also = (next(line for line in lines if line.get("request_id") == one) for one in (id, last))
    assert (noted["message"], noted["owner"], noted["status"]) == ("GET /v1/cases", "ann", 200)
    assert noted["key_id"] == tokens["ann"].split("_")[1] and noted["client"] == "127.0.0.1"
    assert also["status"] == 404 and "0" * 64 in also["message"]
    assert not any(token in text for token in tokens.values())


def test_a_line_is_written_before_the_answer_and_once(tmp_path: Path) -> None:
    """Whoever kills the service then leaves no answer of which no line tells."""
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    log = tmp_path / "audit.jsonl"
    handler = audit_to(log)
    noted: list[tuple[str, int]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        noted.append((message["type"], len(log.read_text(encoding="utf-8").splitlines())))

    headers = [(b"host", b"127.0.0.1")]
    scope = {"type": "http", "method": "GET", "path": "/v1/version", "query_string": b"", "headers": headers}
    asyncio.run(app(scope | {"http_version": "1.1", "client": ("127.0.0.1", 1)}, receive, send))
    AUDIT.removeHandler(handler)
    handler.close()
    assert noted == [("http.response.start", 1), ("http.response.body", 1)]
    assert len(log.read_text(encoding="utf-8").splitlines()) == 1


def test_what_stays_open_is_noted_when_it_is_opened_and_when_it_ends(
    ann: httpx.Client, base: str, folder: Path, tokens: dict[str, str]
) -> None:
    case = f"/v1/cases/{ann.post('/v1/cases', json={'builtin': 'thorax'}).json()['id']}"
    job = ann.post(f"{case}/plans", json={"random_seed": fakes.UNTIL_CANCELLED}).headers["location"]

    def noted(message: str) -> list[tuple[str, int, bool]]:
        lines = (folder / "data" / "audit.jsonl").read_text(encoding="utf-8").splitlines()
        matching = [line for line in map(json.loads, lines) if line["message"] == message]
        return [(line["owner"], line["status"], line.get("open", False)) for line in matching]

    message = f"GET {job}/events"
    with ann.stream("GET", f"{job}/events"):
        eventually(lambda: noted(message) == [("ann", 200, True)])
    eventually(lambda: noted(message) == [("ann", 200, True), ("ann", 200, False)])
    ann.delete(job)
    message = f"WEBSOCKET {case}/paths"
    headers = {"Authorization": f"Bearer {tokens['ann']}"}
    with connect(f"{base.replace('http:', 'ws:')}{case}/paths", additional_headers=headers, proxy=None):
        eventually(lambda: noted(message) == [("ann", 101, True)])
    eventually(lambda: noted(message) == [("ann", 101, True), ("ann", 101, False)])


FLOOD, SYRINGE = 300, "%F0%9F%92%89"
MOST_LINE_BYTES = 700
"""Of a line of the audit log, whatever a sender makes up."""


def test_who_has_no_key_writes_few_lines_and_is_refused_in_time(tmp_path: Path) -> None:
    token = create(tmp_path / "keys.json", "ann")
    settings = Settings(
        data_dir=tmp_path / "data", keys_file=tmp_path / "keys.json", requests_per_s=1.0, requests_burst=20
    )
    app = create_app(settings, Work(fakes.describe, fakes.plan))
    handler = audit_to(settings.audit)
    began = time.monotonic()
    try:
        with (
            serve_in_background(app) as base,
            client_of(base, None) as anybody,
            client_of(base, token) as ann,
        ):
            statuses = Counter(anybody.get(f"/v1/{SYRINGE * 290}").status_code for _ in range(FLOOD))
            assert ann.get("/v1/cases").status_code == 200
    finally:
        AUDIT.removeHandler(handler)
        handler.close()
    seconds = time.monotonic() - began
    assert set(statuses) == {401, 429} and 20 <= statuses[401] <= 21 + seconds
    lines = settings.audit.read_bytes().splitlines()
    assert max(map(len, lines)) <= MOST_LINE_BYTES
    strangers = [line for line in map(json.loads, lines) if line.get("owner") is None]
    counts = [line["left_out"] for line in strangers if "left_out" in line]
    own = len(strangers) - len(counts)
    # None is lost in silence: what has no line is counted, at the server's end too.
    assert own + sum(counts) == FLOOD and {line["account"] for line in strangers if "left_out" in line} == {
        "from 127.0.0.1"
    }
    assert own <= MOST_PER_S * (seconds + 1) and len(counts) <= seconds + 1


def test_metrics_count_requests_by_route(ann: httpx.Client) -> None:
    ann.get(f"/v1/plans/{'0' * 64}")
    text = ann.get("/metrics").text
    line = next(
        t for t in text.splitlines() if t.startswith("seedpath_requests_total") and 'status="404"' in t
    )
    assert "{plan_id}" in text and "0000" not in line
    assert 'seedpath_jobs{state="queued"}' in text and "seedpath_database_up 1.0" in text
    assert "seedpath_workers 1.0" in text


# Allowances


def test_an_allowance_fills_at_its_rate_and_counts_what_is_under_way() -> None:
    now = [0.0]
    rate_limiter = RateLimiter(per_s=2.0, burst=3, at_once=5, most_bytes=100, clock_s=lambda: now[0])
    assert [rate_limiter.take("a") for _ in range(4)] == [None, None, None, 0.5]
    assert rate_limiter.take("b") is None
    now[0] = 0.5
    assert [rate_limiter.take("a"), rate_limiter.take("a")] == [None, 0.5]
    now[0] = 100.0
    assert rate_limiter.take("a") is None
    assert rate_limiter.take("a") == 1.0
    rate_limiter.end_request("a")
    assert rate_limiter.take("a") is None


def test_messages_are_counted_with_requests_but_not_as_under_way() -> None:
    now = [0.0]
    rate_limiter = RateLimiter(per_s=2.0, burst=3, at_once=1, most_bytes=100, clock_s=lambda: now[0])
    assert rate_limiter.take("a") is None
    assert [rate_limiter.spend("a") for _ in range(3)] == [None, None, 0.5]
    assert rate_limiter.spend("b") is None
    now[0] = 0.5
    assert [rate_limiter.spend("a"), rate_limiter.take("a")] == [None, 0.5]


def test_accounts_are_so_many_and_those_under_way_stay() -> None:
    rate_limiter = RateLimiter(
        per_s=1.0, burst=2, at_once=9, most_bytes=100, clock_s=lambda: 0.0, most_accounts=2
    )
    assert [rate_limiter.take("busy"), rate_limiter.take("busy"), rate_limiter.take("busy")] == [
        None,
        None,
        1.0,
    ]
    assert [rate_limiter.spend("idle"), rate_limiter.spend("idle"), rate_limiter.spend("idle")] == [
        None,
        None,
        1.0,
    ]
    # Others come: the idle one is forgotten, the busy one is not.
    assert [rate_limiter.spend("other"), rate_limiter.spend("another")] == [None, None]
    assert [rate_limiter.spend("busy"), rate_limiter.spend("idle")] == [1.0, None]
    assert len(rate_limiter._accounts) == 2


def test_with_all_accounts_under_way_one_more_is_made() -> None:
    rate_limiter = RateLimiter(
        per_s=1.0, burst=2, at_once=9, most_bytes=100, clock_s=lambda: 0.0, most_accounts=1
    )
    assert [rate_limiter.take("a"), rate_limiter.take("b")] == [None, None]
    rate_limiter.end_request("a")
    rate_limiter.end_request("b")
    assert rate_limiter.take("c") is None and len(rate_limiter._accounts) == 2


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("?", "", True),
    ],
)
def test_clients_without_a_key_are_distinguished_by_their_addresses(one: str, other: str, same: bool) -> None:
    assert (keyless_account(one) == keyless_account(other)) is same
    assert not OWNER.fullmatch(keyless_account(one))


def test_one_stranger_does_not_starve_another(tmp_path: Path) -> None:
    token = create(tmp_path / "keys.json", "ann")
    settings = Settings(
        data_dir=tmp_path / "data", keys_file=tmp_path / "keys.json", requests_per_s=0.1, requests_burst=2
    )
    with serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as base:
        transports = [httpx.HTTPTransport(local_address=address) for address in ("127.0.0.1", "127.0.0.2")]
        one, other = (httpx.Client(base_url=base, transport=transport) for transport in transports)
        with one, other, client_of(base, token) as ann:
            for _ in range(2):
                assert one.get("/v1/version").status_code == 200
            problem(one.get("/v1/version"), "too-many-requests")
            assert other.get("/v1/version").status_code == 200
            assert ann.get("/v1/version").status_code == 200


def test_an_answer_to_too_many_requests_states_when_to_retry(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, requests_per_s=0.1, requests_burst=2)
    with (
        serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as base,
        client_of(base, None) as client,
    ):
        for _ in range(2):
            assert client.get("/v1/version").status_code == 200
        refused = client.get("/v1/version")
        problem(refused, "too-many-requests")
        assert 1 <= int(refused.headers["retry-after"]) <= 10


# Refusing to start


def test_a_service_without_its_keys_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"keys\.json"):
        create_app(Settings(data_dir=tmp_path, keys_file=tmp_path / "keys.json"))
    (tmp_path / "keys.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match="not a file of keys"):
        create_app(Settings(data_dir=tmp_path, keys_file=tmp_path / "keys.json"))
