"""Authentication, owners, rate limits, headers and the audit log, with a real server."""

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
def keyless(base: str) -> Iterator[httpx.Client]:
    with client_of(base, None) as client:
        yield client


def test_without_a_key_nothing_is_disclosed(keyless: httpx.Client, tokens: dict[str, str]) -> None:
    for method, address in (
        ("GET", "/v1/cases"),
        ("POST", "/v1/cases"),
        ("GET", "/v1/jobs"),
        ("GET", "/metrics"),
        ("GET", "/v1/nowhere"),
        ("OPTIONS", "/v1/cases"),
    ):
        answer = keyless.request(method, address)
        problem(answer, "no-key")
        assert answer.headers["www-authenticate"] == "Bearer"
    for authorization in ("Bearer x", f"Bearer {tokens['ann']}x", f"Basic {tokens['ann']}", "Bearer"):
        problem(keyless.get("/v1/cases", headers={"Authorization": authorization}), "no-key")
    assert healthy(keyless)["workers"] == 1
    for address in ("/v1/version", "/v1/openapi.json", "/v1/problems/no-key"):
        assert keyless.get(address).status_code == 200


def test_objects_of_another_owner_are_not_found(ann: httpx.Client, ben: httpx.Client, folder: Path) -> None:
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
    # Equal files are one case, which each owner holds separately.
    response = ben.post("/v1/cases", **parts)
    assert response.json()["id"] == case.rpartition("/")[2]
    # The status does not disclose that another owner was first.
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


def test_each_owner_has_a_limit_of_jobs(ann: httpx.Client, ben: httpx.Client) -> None:
    cases = [c.post("/v1/cases", json={"builtin": "thorax"}).headers.get("location") for c in (ann, ben)]
    case = f"/v1/cases/{ann.post('/v1/cases', json={'builtin': 'thorax'}).json()['id']}"
    assert case in cases
    body = {"random_seed": fakes.UNTIL_CANCELLED}
    jobs = [ann.post(f"{case}/plans", json=body).headers["location"] for _ in range(2)]
    refusal = ann.post(f"{case}/plans", json=body)
    problem(refusal, "too-many-requests")
    accepted = ben.post(f"{case}/plans", json=body)
    assert accepted.status_code == 202
    for client, job in ((ann, jobs[0]), (ann, jobs[1]), (ben, accepted.headers["location"])):
        client.delete(job)


def test_every_answer_has_its_headers(ann: httpx.Client, keyless: httpx.Client) -> None:
    for answer in (ann.get("/v1/version"), ann.get("/v1/nowhere"), keyless.get("/v1/cases")):
        assert answer.headers["seedpath-version"] == ann.get("/v1/version").json()["software"].split()[-1]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert len(answer.headers["x-request-id"]) == 32
    with_id = ann.get("/v1/version", headers={"X-Request-ID": "mine-1"})
    assert with_id.headers["x-request-id"] == "mine-1"
    with_invalid_id = ann.get("/v1/version", headers={"X-Request-ID": 'a"b'})
    assert len(with_invalid_id.headers["x-request-id"]) == 32


def test_only_pages_of_listed_origins_may_send_requests(
    ann: httpx.Client, keyless: httpx.Client, folder: Path
) -> None:
    preflight_headers = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    allowed = keyless.options("/v1/cases", headers={"Origin": ORIGIN} | preflight_headers)
    assert allowed.status_code == 200 and allowed.headers["access-control-allow-origin"] == ORIGIN
    head = keyless.options(
        "/v1/cases",
        headers={"Origin": ORIGIN} | preflight_headers | {"Access-Control-Request-Method": "HEAD"},
    )
    assert head.status_code == 200 and "HEAD" in head.headers["access-control-allow-methods"]
    other = keyless.options("/v1/cases", headers={"Origin": "https://evil.example"} | preflight_headers)
    problem(other, "foreign-page")
    assert "access-control-allow-origin" not in other.headers
    put_headers = {"Access-Control-Request-Method": "PUT"}
    put_preflight = keyless.options("/v1/cases", headers={"Origin": ORIGIN} | put_headers)
    assert "DELETE" in problem(put_preflight, "foreign-page")["detail"]
    for preflight in (allowed, other, put_preflight):
        assert "default-src 'none'" in preflight.headers["content-security-policy"]
        id = preflight.headers["x-request-id"]
        eventually(lambda id=id: id in (folder / "data" / "audit.jsonl").read_text(encoding="utf-8"))
    answer = ann.get("/v1/version", headers={"Origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    exposed_headers = answer.headers["access-control-expose-headers"].split(", ")
    assert {"Allow", "Content-Location", "ETag", "Location"} <= set(exposed_headers)
    refusal = keyless.get("/v1/cases", headers={"Origin": ORIGIN})
    assert refusal.headers["access-control-allow-origin"] == ORIGIN


def test_a_page_of_another_origin_cannot_send_forms(ann: httpx.Client, base: str) -> None:
    foreign_origin = {"Origin": "https://evil.example"}
    problem(ann.post("/v1/cases", headers=foreign_origin, **upload(("file", "a.nii", b"a"))), "foreign-page")
    problem(ann.get("/v1/version", headers={"Origin": "null"}), "foreign-page")
    assert ann.get("/v1/version", headers={"Origin": base}).status_code == 200


def test_an_unreadable_keys_file_admits_no_request(tmp_path: Path) -> None:
    token = create(tmp_path / "keys.json", "ann")
    settings = Settings(data_dir=tmp_path / "data", keys_file=tmp_path / "keys.json")
    settings = settings.model_copy(update={"requests_per_s": 0.1, "requests_burst": 2})
    with (
        serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as base,
        client_of(base, token) as client,
    ):
        assert client.get("/v1/cases").status_code == 200
        (tmp_path / "keys.json").write_text("{", encoding="utf-8")
        # However often it is sent: the key may be valid.
        for _ in range(5):
            problem(client.get("/v1/cases"), "unavailable")
        (tmp_path / "keys.json").unlink()
        problem(client.get("/v1/cases"), "unavailable")


def test_the_audit_log_records_owner_and_request(
    ann: httpx.Client, folder: Path, tokens: dict[str, str]
) -> None:
    id = ann.get("/v1/cases").headers["x-request-id"]
    missing_plan_id = ann.get(f"/v1/plans/{'0' * 64}").headers["x-request-id"]
    audit = folder / "data" / "audit.jsonl"
    # A line is written before its answer.
    text = audit.read_text(encoding="utf-8")
    assert missing_plan_id in text
    lines = [json.loads(line) for line in text.splitlines()]
    cases_line, plan_line = (
        next(line for line in lines if line.get("request_id") == request_id)
        for request_id in (id, missing_plan_id)
    )
    assert (cases_line["message"], cases_line["owner"], cases_line["status"]) == ("GET /v1/cases", "ann", 200)
    assert cases_line["key_id"] == tokens["ann"].split("_")[1] and cases_line["client"] == "127.0.0.1"
    assert plan_line["status"] == 404 and "0" * 64 in plan_line["message"]
    assert not any(token in text for token in tokens.values())


def test_one_audit_line_is_written_before_the_answer(tmp_path: Path) -> None:
    """Then a killed service leaves no answer without a line."""
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    log = tmp_path / "audit.jsonl"
    handler = audit_to(log)
    lines_at_message: list[tuple[str, int]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        lines_at_message.append((message["type"], len(log.read_text(encoding="utf-8").splitlines())))

    headers = [(b"host", b"127.0.0.1")]
    scope = {"type": "http", "method": "GET", "path": "/v1/version", "query_string": b"", "headers": headers}
    asyncio.run(app(scope | {"http_version": "1.1", "client": ("127.0.0.1", 1)}, receive, send))
    AUDIT.removeHandler(handler)
    handler.close()
    assert lines_at_message == [("http.response.start", 1), ("http.response.body", 1)]
    assert len(log.read_text(encoding="utf-8").splitlines()) == 1


def test_open_streams_are_logged_at_their_start_and_end(
    ann: httpx.Client, base: str, folder: Path, tokens: dict[str, str]
) -> None:
    case = f"/v1/cases/{ann.post('/v1/cases', json={'builtin': 'thorax'}).json()['id']}"
    job = ann.post(f"{case}/plans", json={"random_seed": fakes.UNTIL_CANCELLED}).headers["location"]

    def logged(message: str) -> list[tuple[str, int, bool]]:
        lines = (folder / "data" / "audit.jsonl").read_text(encoding="utf-8").splitlines()
        matching = [line for line in map(json.loads, lines) if line["message"] == message]
        return [(line["owner"], line["status"], line.get("open", False)) for line in matching]

    message = f"GET {job}/events"
    with ann.stream("GET", f"{job}/events"):
        eventually(lambda: logged(message) == [("ann", 200, True)])
    eventually(lambda: logged(message) == [("ann", 200, True), ("ann", 200, False)])
    ann.delete(job)
    message = f"WEBSOCKET {case}/paths"
    headers = {"Authorization": f"Bearer {tokens['ann']}"}
    with connect(f"{base.replace('http:', 'ws:')}{case}/paths", additional_headers=headers, proxy=None):
        eventually(lambda: logged(message) == [("ann", 101, True)])
    eventually(lambda: logged(message) == [("ann", 101, True), ("ann", 101, False)])


FLOOD, SYRINGE = 300, "%F0%9F%92%89"
MOST_LINE_BYTES = 700
"""Greatest length of a line of the audit log, whatever is sent. [bytes]"""


def test_a_flood_of_requests_without_a_key_is_refused_and_writes_few_lines(tmp_path: Path) -> None:
    token = create(tmp_path / "keys.json", "ann")
    settings = Settings(
        data_dir=tmp_path / "data", keys_file=tmp_path / "keys.json", requests_per_s=1.0, requests_burst=20
    )
    app = create_app(settings, Work(fakes.describe, fakes.plan))
    handler = audit_to(settings.audit)
    start_s = time.monotonic()
    try:
        with (
            serve_in_background(app) as base,
            client_of(base, None) as keyless,
            client_of(base, token) as ann,
        ):
            statuses = Counter(keyless.get(f"/v1/{SYRINGE * 290}").status_code for _ in range(FLOOD))
            assert ann.get("/v1/cases").status_code == 200
    finally:
        AUDIT.removeHandler(handler)
        handler.close()
    seconds = time.monotonic() - start_s
    assert set(statuses) == {401, 429} and 20 <= statuses[401] <= 21 + seconds
    lines = settings.audit.read_bytes().splitlines()
    assert max(map(len, lines)) <= MOST_LINE_BYTES
    keyless_lines = [line for line in map(json.loads, lines) if line.get("owner") is None]
    counts = [line["left_out"] for line in keyless_lines if "left_out" in line]
    request_lines = len(keyless_lines) - len(counts)
    # Requests without a line are counted, also when the server closes.
    assert request_lines + sum(counts) == FLOOD and {
        line["account"] for line in keyless_lines if "left_out" in line
    } == {"from 127.0.0.1"}
    assert request_lines <= MOST_PER_S * (seconds + 1) and len(counts) <= seconds + 1


def test_metrics_count_requests_by_route(ann: httpx.Client) -> None:
    ann.get(f"/v1/plans/{'0' * 64}")
    text = ann.get("/metrics").text
    line = next(
        t for t in text.splitlines() if t.startswith("seedpath_requests_total") and 'status="404"' in t
    )
    assert "{plan_id}" in text and "0000" not in line
    assert 'seedpath_jobs{state="queued"}' in text and "seedpath_database_up 1.0" in text
    assert "seedpath_workers 1.0" in text


# Rate limits


def test_a_rate_limit_refills_at_its_rate_and_counts_requests_in_progress() -> None:
    clock_s = [0.0]
    rate_limiter = RateLimiter(per_s=2.0, burst=3, at_once=5, most_bytes=100, clock_s=lambda: clock_s[0])
    assert [rate_limiter.take("a") for _ in range(4)] == [None, None, None, 0.5]
    assert rate_limiter.take("b") is None
    clock_s[0] = 0.5
    assert [rate_limiter.take("a"), rate_limiter.take("a")] == [None, 0.5]
    clock_s[0] = 100.0
    assert rate_limiter.take("a") is None
    assert rate_limiter.take("a") == 1.0
    rate_limiter.end_request("a")
    assert rate_limiter.take("a") is None


def test_messages_count_against_the_rate_but_not_as_in_progress() -> None:
    clock_s = [0.0]
    rate_limiter = RateLimiter(per_s=2.0, burst=3, at_once=1, most_bytes=100, clock_s=lambda: clock_s[0])
    assert rate_limiter.take("a") is None
    assert [rate_limiter.spend("a") for _ in range(3)] == [None, None, 0.5]
    assert rate_limiter.spend("b") is None
    clock_s[0] = 0.5
    assert [rate_limiter.spend("a"), rate_limiter.take("a")] == [None, 0.5]


def test_the_number_of_accounts_is_limited_and_busy_ones_stay() -> None:
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
    # With new accounts the idle one is forgotten, the busy one is not.
    assert [rate_limiter.spend("other"), rate_limiter.spend("another")] == [None, None]
    assert [rate_limiter.spend("busy"), rate_limiter.spend("idle")] == [1.0, None]
    assert len(rate_limiter._accounts) == 2


def test_with_all_accounts_busy_another_is_created() -> None:
    rate_limiter = RateLimiter(
        per_s=1.0, burst=2, at_once=9, most_bytes=100, clock_s=lambda: 0.0, most_accounts=1
    )
    assert [rate_limiter.take("a"), rate_limiter.take("b")] == [None, None]
    rate_limiter.end_request("a")
    rate_limiter.end_request("b")
    assert rate_limiter.take("c") is None and len(rate_limiter._accounts) == 2


@pytest.mark.parametrize(
    ("address", "other_address", "is_one_account"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("?", "", True),
    ],
)
def test_clients_without_a_key_are_distinguished_by_their_addresses(
    address: str, other_address: str, is_one_account: bool
) -> None:
    assert (keyless_account(address) == keyless_account(other_address)) is is_one_account
    assert not OWNER.fullmatch(keyless_account(address))


def test_one_keyless_client_does_not_use_up_the_limit_of_another(tmp_path: Path) -> None:
    token = create(tmp_path / "keys.json", "ann")
    settings = Settings(
        data_dir=tmp_path / "data", keys_file=tmp_path / "keys.json", requests_per_s=0.1, requests_burst=2
    )
    with serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as base:
        transports = [httpx.HTTPTransport(local_address=address) for address in ("127.0.0.1", "127.0.0.2")]
        first, second = (httpx.Client(base_url=base, transport=transport) for transport in transports)
        with first, second, client_of(base, token) as ann:
            for _ in range(2):
                assert first.get("/v1/version").status_code == 200
            problem(first.get("/v1/version"), "too-many-requests")
            assert second.get("/v1/version").status_code == 200
            assert ann.get("/v1/version").status_code == 200


def test_an_answer_to_too_many_requests_states_when_to_retry(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, requests_per_s=0.1, requests_burst=2)
    with (
        serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as base,
        client_of(base, None) as client,
    ):
        for _ in range(2):
            assert client.get("/v1/version").status_code == 200
        refusal = client.get("/v1/version")
        problem(refusal, "too-many-requests")
        assert 1 <= int(refusal.headers["retry-after"]) <= 10


# Refusing to start


def test_a_service_without_its_keys_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"keys\.json"):
        create_app(Settings(data_dir=tmp_path, keys_file=tmp_path / "keys.json"))
    (tmp_path / "keys.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match="not a file of keys"):
        create_app(Settings(data_dir=tmp_path, keys_file=tmp_path / "keys.json"))
