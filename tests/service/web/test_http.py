"""Idempotent requests, conditional requests, pages, compression, and events that can be resumed."""

import errno
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import plan_work as fakes
import pytest
from rest_calls import GENEROUS_S, events, problem, until, upload

from service.operations.job_tasks import Work
from service.schemas.plan.file import read_plan
from service.settings import Settings
from service.storage.file_store import Store
from service.web.app import create_app
from service.web.routes.page import FILES
from service.web.server import serve_in_background

WAIT = {"Prefer": "wait=60"}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def client(data_dir: Path) -> Iterator[httpx.Client]:
    settings = Settings(data_dir=data_dir, max_jobs=200, body_idle_s=1.0)
    with (
        serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as base,
        httpx.Client(base_url=base, trust_env=False, timeout=GENEROUS_S) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def case(client: httpx.Client) -> str:
    return str(client.post("/v1/cases", json={"builtin": "thorax"}).headers["location"])


# Idempotency-Key


def test_a_repeated_request_with_its_key_is_the_same_job(client: httpx.Client, case: str) -> None:
    key = {"Idempotency-Key": '"4c0f-1"'}
    first = client.post(f"{case}/plans", json={}, headers=key)
    response = client.post(f"{case}/plans", json={}, headers=key | WAIT)
    assert response.headers["location"] == first.headers["location"]
    assert response.status_code == 200 and read_plan(response.content).plan.request.random_seed == 0
    unquoted = client.post(f"{case}/plans", json={}, headers={"Idempotency-Key": "4c0f-1"})
    assert unquoted.headers["location"] == first.headers["location"]
    other = client.post(f"{case}/plans", json={}, headers={"Idempotency-Key": "4c0f-2"})
    assert other.headers["location"] != first.headers["location"]


def test_a_key_of_a_different_request_is_refused(client: httpx.Client, case: str) -> None:
    key = {"Idempotency-Key": "4c0f-3"}
    client.post(f"{case}/plans", json={}, headers=key)
    problem(client.post(f"{case}/plans", json={"random_seed": 0}, headers=key), "key-reused")
    other = client.post("/v1/cases", **upload(("file", "a.nii", b"a"))).headers["location"]
    problem(client.post(f"{other}/plans", json={}, headers=key), "key-reused")


@pytest.mark.parametrize("key", ["", '""', "a b", 'a"b', "x" * 201])
def test_an_invalid_idempotency_key_is_refused(client: httpx.Client, case: str, key: str) -> None:
    problem(client.post(f"{case}/plans", json={}, headers={"Idempotency-Key": key}), "bad-header")


# Conditional requests


def test_an_unchanged_resource_is_not_sent_again(client: httpx.Client, case: str) -> None:
    job = client.post(f"{case}/plans", json={}).headers["location"]
    plan = until(client, job, "done")["plan"]
    for address in (case, plan, job):
        etag = client.get(address).headers["etag"]
        assert not etag.startswith("W/")
        for condition in (etag, f'"x", {etag}', f"W/{etag}"):
            answer = client.get(address, headers={"If-None-Match": condition})
            assert answer.status_code == 304 and answer.content == b"" and answer.headers["etag"] == etag
        assert client.get(address, headers={"If-None-Match": '"x"'}).status_code == 200
        assert client.get(address, headers={"If-None-Match": "*"}).status_code == 304


OF_ONE_ANSWER = {"date", "x-request-id"}
"""Headers that differ in each answer."""

OF_CONTENT = {f"content-{name}" for name in ("type", "length", "encoding")} | {
    *("last-modified", "accept-ranges", "transfer-encoding"),
}
"""Headers of the content, which a 304 does not send (RFC 9110, 15.4.5)."""


def stable_headers(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in OF_ONE_ANSWER}


@pytest.fixture(scope="module")
def tagged_addresses(client: httpx.Client, case: str) -> list[str]:
    """An address of each route with an ETag."""
    job = client.post(f"{case}/plans", json={}).headers["location"]
    plan = until(client, job, "done")["plan"]
    files = [f"/page/{name}" for name in sorted(FILES)]
    return [case, job, plan, f"{plan}/skin-access", f"{case}/shapes", "/", *files]


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_304_has_the_headers_of_the_cached_answer(
    client: httpx.Client, tagged_addresses: list[str], coding: str
) -> None:
    # The headers of a 304 replace those of the cached answer, so it must have all that matter.
    for address in tagged_addresses:
        response = client.get(address, headers={"Accept-Encoding": coding})
        assert response.status_code == 200, address
        not_modified = client.get(
            address, headers={"Accept-Encoding": coding, "If-None-Match": response.headers["etag"]}
        )
        assert not_modified.status_code == 304 and not_modified.content == b"", address
        assert stable_headers(not_modified) == {
            n: v for n, v in stable_headers(response).items() if n not in OF_CONTENT
        }, address
        assert "accept-encoding" in response.headers["vary"].lower(), address


def test_head_has_the_headers_of_get(client: httpx.Client, tagged_addresses: list[str]) -> None:
    # The headers of HEAD also replace those of the cached answer (RFC 9111, 4.3.5).
    for address in tagged_addresses:
        response = client.get(address)
        head = client.head(address)
        assert head.content == b"" and stable_headers(head) == stable_headers(response), address
        condition = {"If-None-Match": response.headers["etag"]}
        assert stable_headers(client.head(address, headers=condition)) == stable_headers(
            client.get(address, headers=condition)
        ), address


def test_every_route_with_an_etag_is_tested_above(client: httpx.Client, tagged_addresses: list[str]) -> None:
    paths = client.get("/v1/openapi.json").json()["paths"]
    tagged = {
        address for address, methods in paths.items() if "304" in methods.get("get", {}).get("responses", {})
    }
    tested = {
        route
        for route in tagged
        for address in tagged_addresses
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", route), address)
    }
    # Evaluations and replans share the function that answers plans.
    assert tagged - tested == {"/v1/evaluations/{evaluation_id}", "/v1/replans/{replan_id}"}


@pytest.mark.parametrize("address", ["/page/nothing.js", "/v1/plans/0", "/v1/nothing"])
def test_errors_are_not_cached(client: httpx.Client, address: str) -> None:
    # Without this header a 404 may be cached (RFC 9110, 15.1).
    assert client.get(address).headers["cache-control"] == "no-store"


def test_compressed_and_uncompressed_bytes_have_different_etags(client: httpx.Client, case: str) -> None:
    plan = client.post(f"{case}/plans", json={"random_seed": 0}, headers=WAIT).headers["content-location"]
    tags = {}
    for coding in ("gzip", "identity"):
        answer = client.get(plan, headers={"Accept-Encoding": coding})
        assert answer.headers.get("content-encoding", "identity") == coding
        tags[coding] = answer.headers["etag"]
    assert tags["gzip"] != tags["identity"]
    for coding, tag in tags.items():
        not_modified = client.get(plan, headers={"Accept-Encoding": coding, "If-None-Match": tag})
        assert not_modified.status_code == 304 and not_modified.headers["etag"] == tag
    for other_tag in (f"W/{tags['gzip']}", f"W/{tags['identity']}", f'{tags["gzip"][:-1]}-gzip"'):
        problem(client.delete(plan, headers={"If-Match": other_tag}), "precondition-failed")
    # Both ETags match the stored plan.
    assert client.delete(plan, headers={"If-Match": f'"x", {tags["gzip"]}'}).status_code == 204
    client.post(f"{case}/plans", json={"random_seed": 0}, headers=WAIT)
    assert client.delete(plan, headers={"If-Match": tags["identity"]}).status_code == 204


def test_a_resource_that_has_changed_is_not_removed(client: httpx.Client, case: str) -> None:
    job = client.post(f"{case}/plans", json={"random_seed": fakes.UNTIL_CANCELLED}).headers["location"]
    while client.get(job).json()["progress"] is None:
        time.sleep(0.02)
    etag = client.get(job).headers["etag"]
    for other_tag in ('"1"', f"W/{etag}"):
        problem(client.delete(job, headers={"If-Match": other_tag}), "precondition-failed")
    assert client.delete(job, headers={"If-Match": etag}).json()["state"] == "cancelled"
    other = client.post("/v1/cases", **upload(("file", "b.nii", b"b"))).headers["location"]
    problem(client.delete(other, headers={"If-Match": '"x"'}), "precondition-failed")
    assert client.delete(other, headers={"If-Match": client.get(other).headers["etag"]}).status_code == 204


@pytest.mark.long
def test_the_applied_wait_is_at_most_the_services_limit(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, max_wait_s=1.5)
    with (
        serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as base,
        httpx.Client(base_url=base, trust_env=False, timeout=GENEROUS_S) as client,
    ):
        case = client.post("/v1/cases", json={"builtin": "thorax"}).headers["location"]
        for preferred_s, applied_wait in (("60", "wait=1"), ("0", "wait=0")):
            body = {"random_seed": fakes.UNTIL_CANCELLED}
            answer = client.post(f"{case}/plans", json=body, headers={"Prefer": f"wait={preferred_s}"})
            assert answer.status_code == 202 and answer.headers["preference-applied"] == applied_wait


def test_every_removal_is_documented_with_a_full_disk(client: httpx.Client) -> None:
    document = client.get("/v1/openapi.json").json()["paths"]
    removals = {address: methods["delete"] for address, methods in document.items() if "delete" in methods}
    assert len(removals) == 5
    assert all("507" in removal["responses"] for removal in removals.values())


# Removing results


def test_a_plan_is_removed_permanently(client: httpx.Client, case: str) -> None:
    plan = until(client, client.post(f"{case}/plans", json={}).headers["location"], "done")["plan"]
    problem(client.delete(plan, headers={"If-Match": '"x"'}), "precondition-failed")
    assert client.delete(plan).status_code == 204
    problem(client.get(plan), "not-found")
    problem(client.delete(plan), "not-found")
    # An equal request makes it again.
    assert client.post(f"{case}/plans", json={}, headers=WAIT).headers["content-location"] == plan


def test_files_of_a_removed_case_are_removed_with_its_last_plan(client: httpx.Client, data_dir: Path) -> None:
    address = client.post("/v1/cases", **upload(("file", "c.nii", b"c"))).headers["location"]
    plan = until(client, client.post(f"{address}/plans", json={}).headers["location"], "done")["plan"]
    assert client.delete(address).status_code == 204
    assert client.get(plan).status_code == 200
    problem(client.post(f"{address}/plans", json={}), "not-found")
    folder = data_dir / "cases" / address.rpartition("/")[2]
    file = data_dir / "plans" / f"{plan.rpartition('/')[2]}.json"
    listed_cases = [item["case"] for item in client.get("/v1/plans", params={"limit": 100}).json()["items"]]
    assert folder.is_dir() and file.is_file() and listed_cases.count(address) == 1
    assert client.delete(plan).status_code == 204
    assert not folder.exists()


def test_simultaneous_uploads_of_equal_files_are_one_case(client: httpx.Client, data_dir: Path) -> None:
    parts = upload(("file", "d.nii", b"d"))
    answers: list[httpx.Response] = []
    threads = [
        threading.Thread(target=lambda: answers.append(client.post("/v1/cases", **parts))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {200, 201} and len(answers) == 6
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert list((data_dir / "aside").iterdir()) == []


def test_a_full_disk_is_answered_as_no_room(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Store, folder: Path, record: dict[str, Any]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Store, "add_case", full)
    problem(client.post("/v1/cases", **upload(("file", "e.nii", b"e"))), "no-room")


# Pages


def test_pages_list_each_item_once_while_items_are_added(client: httpx.Client, case: str) -> None:
    addresses = [client.post(f"{case}/plans", json={}, headers=WAIT).headers["location"] for _ in range(5)]
    newest_first = [address.rpartition("/")[2] for address in reversed(addresses)]
    page = client.get("/v1/jobs", params={"limit": 2, "state": "done"})
    assert page.headers["link"] == f'<{page.json()["next"]}>; rel="next"'
    listed_ids = [item["id"] for item in page.json()["items"]]
    client.post(f"{case}/plans", json={}, headers=WAIT)
    while page.json()["next"] is not None:
        page = client.get(page.json()["next"])
        listed_ids += [item["id"] for item in page.json()["items"]]
        assert all(item["state"] == "done" for item in page.json()["items"])
    assert listed_ids[:5] == newest_first and len(listed_ids) == len(set(listed_ids))
    assert "link" not in page.headers


def test_lists_of_cases_and_plans(client: httpx.Client, case: str) -> None:
    plan = client.post(f"{case}/plans", json={}, headers=WAIT).headers["content-location"]
    cases = client.get("/v1/cases", params={"limit": 100}).json()["items"]
    assert case.rpartition("/")[2] in [item["id"] for item in cases]
    plans = client.get("/v1/plans", params={"case": case.rpartition("/")[2]}).json()["items"]
    assert plan in [item["address"] for item in plans] and {item["case"] for item in plans} == {case}
    assert client.get("/v1/plans", params={"case": "0" * 64}).json() == {"items": [], "next": None}


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=0", "state=lost"])
def test_an_invalid_page_query_is_refused(client: httpx.Client, query: str) -> None:
    problem_json = problem(client.get(f"/v1/jobs?{query}"), "invalid-request")
    assert [e["pointer"] for e in problem_json["errors"]] == [f"/query/{query.partition('=')[0]}"]


# Bytes


def test_answers_are_compressed_on_request(client: httpx.Client, case: str) -> None:
    plan = client.post(f"{case}/plans", json={}, headers=WAIT).headers["content-location"]
    compressed = client.get(plan, headers={"Accept-Encoding": "gzip"})
    uncompressed = client.get(plan, headers={"Accept-Encoding": "identity"})
    assert compressed.headers["content-encoding"] == "gzip" and "content-encoding" not in uncompressed.headers
    assert compressed.content == uncompressed.content
    assert int(compressed.headers["content-length"]) < len(uncompressed.content)


def test_a_stalled_body_times_out(client: httpx.Client, case: str) -> None:
    head = f"POST {case}/plans HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with socket.create_connection((client.base_url.host, client.base_url.port), GENEROUS_S) as raw:
        raw.sendall(f"{head}Content-Length: 2\r\n\r\n{{".encode())
        # Read to its end: the service closes the connection, though the client never does.
        text = b"".join(iter(lambda: raw.recv(65536), b""))
    first, _, content = text.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 408 ") and b"\nconnection: close" in first.lower()
    assert json.loads(content)["type"] == "/v1/problems/too-slow"


# Events


def test_events_report_a_job_until_its_end(client: httpx.Client, case: str) -> None:
    job = client.post(f"{case}/plans", json={}).headers["location"]
    job_events = list(events(client, job))
    assert [number for number, _, _ in job_events] == list(range(1, len(job_events) + 1))
    assert [name for _, name, _ in job_events] == ["queued", "running", "done"]
    assert job_events[-1][2] == client.get(job).json()


def test_events_resume_after_the_last_event_id(client: httpx.Client, case: str) -> None:
    job = client.post(f"{case}/plans", json={"random_seed": fakes.UNTIL_CANCELLED}).headers["location"]
    stream = events(client, job)
    first_events = [next(stream) for _ in range(3)]
    assert [name for _, name, _ in first_events] == ["queued", "running", "progress"]
    # On a slow machine the time left is already estimated.
    left_s = first_events[2][2]["progress"].pop("left_s")
    assert left_s is None or left_s > 0.0
    assert first_events[2][2] == {"state": "running", "progress": {"phase": "search", "fraction": 0.25}}
    stream.close()
    client.delete(job)
    assert [name for _, name, _ in events(client, job, last=2)] == ["progress", "cancelled"]
    assert [name for _, name, _ in events(client, job, last=3)] == ["cancelled"]
    # After the last event the client must not reconnect.
    assert client.get(f"{job}/events", headers={"Last-Event-ID": "4"}).status_code == 204


def test_events_arrive_while_the_job_runs(client: httpx.Client, case: str) -> None:
    job = client.post(f"{case}/plans", json={"random_seed": fakes.UNTIL_CANCELLED}).headers["location"]
    stream = events(client, job)
    while next(stream)[1] != "progress":
        pass
    assert client.get(job).json()["state"] == "running"
    client.delete(job)
    assert [name for _, name, _ in stream] == ["cancelled"]


@pytest.mark.parametrize("last_event_id", ["x", "-1", "1.5", "9" * 10])
def test_an_invalid_last_event_id_is_refused(client: httpx.Client, case: str, last_event_id: str) -> None:
    job = client.post(f"{case}/plans", json={}).headers["location"]
    problem(client.get(f"{job}/events", headers={"Last-Event-ID": last_event_id}), "bad-header")
    problem(client.get("/v1/jobs/x/events"), "not-found")
