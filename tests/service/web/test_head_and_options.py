"""HeadAndOptionsMiddleware: HEAD, OPTIONS and the `Allow` header, with a real server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import plan_work as fakes
import pytest
from rest_calls import GENEROUS_S, client_of, problem, until
from service_process import eventually

from service.operations.job_tasks import Work
from service.settings import Settings
from service.web.app import create_app
from service.web.middleware.keys import create
from service.web.server import serve_in_background

CHANGES_WITH_EACH_ANSWER = ("date", "x-request-id")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    app = create_app(Settings(data_dir=tmp_path_factory.mktemp("data")), Work(fakes.describe, fakes.plan))
    with (
        serve_in_background(app) as base,
        httpx.Client(base_url=base, trust_env=False, timeout=GENEROUS_S) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def job(client: httpx.Client) -> dict[str, Any]:
    """A finished job with its case and its plan."""
    case = client.post("/v1/cases", json={"builtin": "thorax"}).headers["location"]
    return until(client, client.post(f"{case}/plans", json={}).headers["location"], "done")


def documented_paths(client: httpx.Client, method: str) -> list[str]:
    paths = client.get("/v1/openapi.json").json()["paths"]
    return [path for path, item in paths.items() if method in item]


def with_ids(path: str, job: dict[str, Any]) -> str:
    """The path with ids of existing objects; of objects that the fakes do not make, the path as it is."""
    ids = {
        "kind": "no-room",
        "case_id": job["case"].rpartition("/")[2],
        "plan_id": job["plan"].rpartition("/")[2],
        "job_id": job["id"],
    }
    for name, id in ids.items():
        path = path.replace(f"{{{name}}}", id)
    return path


def stable_headers(answer: httpx.Response) -> dict[str, str]:
    return {name: v for name, v in answer.headers.items() if name not in CHANGES_WITH_EACH_ANSWER}


def test_head_answers_like_get_without_the_body(client: httpx.Client, job: dict[str, Any]) -> None:
    statuses = []
    for path in [*documented_paths(client, "get"), "/v1/openapi.json"]:
        address = with_ids(path, job)
        if path.endswith("/events"):
            continue
        for encoding in ("identity", "gzip"):
            headers = {"Accept-Encoding": encoding}
            get, head = (client.request(m, address, headers=headers) for m in ("GET", "HEAD"))
            assert head.status_code == get.status_code, address
            assert head.content == b"" and get.content != b""
            assert stable_headers(head) == stable_headers(get)
        statuses.append(get.status_code)
    # Objects with an id that the fakes made are found.
    assert statuses.count(200) >= 9 and set(statuses) <= {200, 404}


def test_head_answers_304_to_a_matching_etag(client: httpx.Client, job: dict[str, Any]) -> None:
    etag = client.head(job["plan"]).headers["etag"]
    assert client.head(job["plan"], headers={"If-None-Match": etag}).status_code == 304


def test_head_of_events_does_not_wait_for_them(client: httpx.Client, job: dict[str, Any]) -> None:
    body = {"random_seed": fakes.UNTIL_CANCELLED}
    running_job = client.post(f"{job['case']}/plans", json=body).headers["location"]
    until(client, running_job, "running")
    answer = client.head(f"{running_job}/events")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
    # The connection is still usable, and no request is left in progress.
    assert client.get(running_job).json()["state"] == "running"
    eventually(lambda: "seedpath_requests_under_way 1.0" in client.get("/metrics").text)
    assert 'method="HEAD",route="/jobs/{job_id}/events",status="200"' in client.get("/metrics").text
    client.delete(running_job)


def test_head_of_a_route_without_get_is_refused(client: httpx.Client, job: dict[str, Any]) -> None:
    answer = client.head(f"{job['case']}/plans")
    assert answer.status_code == 405 and answer.headers["allow"] == "POST, OPTIONS"


def test_allow_lists_the_documented_methods(client: httpx.Client, job: dict[str, Any]) -> None:
    paths = client.get("/v1/openapi.json").json()["paths"]
    for path, item in paths.items():
        address = with_ids(path, job)
        expected = {method.upper() for method in item} | {"OPTIONS"} | ({"HEAD"} if "get" in item else set())
        response = client.options(address)
        assert response.status_code == 204 and response.content == b""
        refusal = client.put(address)
        problem(refusal, "method-not-allowed")
        for answer in (response, refusal):
            allowed = answer.headers["allow"].split(", ")
            assert set(allowed) == expected and len(allowed) == len(expected), path
            assert len(answer.headers.get_list("allow")) == 1


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("action", ["replan", "evaluate-implant"])
def test_get_and_delete_of_an_action_are_refused(
    client: httpx.Client, job: dict[str, Any], method: str, action: str
) -> None:
    problem(client.request(method, f"{job['plan']}:{action}"), "method-not-allowed")
    problem(client.request(method, f"{job['plan']}:forget"), "not-found")


def test_an_unknown_address_allows_no_method(client: httpx.Client) -> None:
    problem(client.options("/v1/nowhere"), "not-found")
    answer = client.head("/v1/nowhere")
    assert answer.status_code == 404 and answer.content == b""


def test_head_and_options_disclose_nothing_without_a_key(tmp_path: Path) -> None:
    create(tmp_path / "keys.json", "ann")
    settings = Settings(data_dir=tmp_path / "data", keys_file=tmp_path / "keys.json")
    with (
        serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as base,
        client_of(base, None) as keyless,
    ):
        for method in ("HEAD", "OPTIONS"):
            answer = keyless.request(method, "/v1/cases")
            assert answer.status_code == 401 and "allow" not in answer.headers
