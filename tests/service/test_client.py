"""The Python client, with a real service whose planning is replaced, and across a restart of that service."""

import hashlib
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import plan_work as fakes
import pytest
from service_process import Service, eventually, running

from planner import SOFTWARE
from service.client import Client, ContentMismatch, JobCancelled, ProblemError
from service.operations.job_tasks import Work
from service.settings import Settings
from service.web.app import create_app
from service.web.middleware.keys import create
from service.web.server import serve_in_background


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"))
    with serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as address:
        yield address


@pytest.fixture
def client(base: str) -> Iterator[Client]:
    with Client(base) as client:
        yield client


def test_a_case_is_planned_and_its_progress_reported(client: Client, tmp_path: Path) -> None:
    for name in ("labels.nii.gz", "labels.json", "gtv.nii.gz", "ct.nii.gz"):
        (tmp_path / name).write_bytes(name.encode())
    case = client.add_case(
        tmp_path / "labels.nii.gz",
        tmp_path / "labels.json",
        [tmp_path / "gtv.nii.gz"],
        tmp_path / "ct.nii.gz",
    )
    assert case["targets"] == ["gtv.nii.gz"]
    file = client.plan(case, {"random_seed": 0})
    assert file.claimed_sha256 == file.content_sha256 and file.plan.software == SOFTWARE
    assert case["id"] in [listed_case["id"] for listed_case in client.cases()]
    assert [job["state"] for job in client.jobs()].count("done") >= 1
    client.remove_case(case)
    with pytest.raises(ProblemError, match="There is no such case"):
        client.plan(case)


@pytest.mark.parametrize("original", [b'"random_seed": 13', b'"plan_sha256": "', b"LPS", b"\n}\n"])
def test_a_plan_altered_in_transit_is_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch, original: bytes
) -> None:
    case = client.add_builtin("thorax")
    plan = client.plan(case, {"random_seed": 13})
    original_request = httpx.Client.request

    def altered_response(self: httpx.Client, method: str, url: str, **options: Any) -> httpx.Response:
        response = original_request(self, method, url, **options)
        if "/v1/plans/" not in url:
            return response
        assert original in response.content
        content = response.content.replace(original, original[:-1] + bytes([original[-1] ^ 1]), 1)
        return httpx.Response(200, content=content)

    monkeypatch.setattr(httpx.Client, "request", altered_response)
    with pytest.raises(ContentMismatch, match=f"/v1/plans/{plan.claimed_sha256}"):
        client.kept_plan(plan.claimed_sha256)
    with pytest.raises(ContentMismatch):
        client.plan(case, {"random_seed": 13})


def test_a_result_whose_hash_is_not_its_id_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b'{"schema": "seedpath.evaluation/3"}'
    id = hashlib.sha256(text).hexdigest()

    def fixed_response(self: httpx.Client, method: str, url: str, **options: Any) -> httpx.Response:
        return httpx.Response(200, content=content)

    monkeypatch.setattr(httpx.Client, "request", fixed_response)
    for content in (text, text + b"\n", text[:-1]):
        for kind in ("evaluations", "replans"):
            job = {"problem": None, "result": f"/v1/{kind}/{id}"}
            with Client("http://127.0.0.1:9") as client, monkeypatch.context() as patch:
                patch.setattr(client, "events", lambda job_id: iter(()))
                patch.setattr(client, "job", lambda job_id, job=job: job)
                if content == text:
                    assert client.result({"id": "x"}) == text
                else:
                    with pytest.raises(ContentMismatch, match=id):
                        client.result({"id": "x"})


def test_version_and_health(client: Client) -> None:
    assert client.version()["software"] == SOFTWARE
    client.plan(client.add_builtin("thorax"))

    def workers() -> int:
        try:
            return int(client.health()["workers"])
        except ProblemError:
            return 0

    eventually(lambda: workers() == 1)


def test_a_problem_is_raised_with_its_fields(client: Client) -> None:
    case = client.add_builtin("thorax")
    with pytest.raises(ProblemError, match="/target/structure: 'x' is not in the input") as caught:
        client.plan(case, {"random_seed": fakes.REFUSED})
    assert caught.value.problem["status"] == 422
    with pytest.raises(ProblemError, match="/targt: Unknown field"):
        client.plan(case, {"targt": {}})


def test_progress_is_reported_and_a_cancelled_job_ends_the_wait(client: Client) -> None:
    case = client.add_builtin("thorax")
    job = client.order(f"/v1/cases/{case['id']}/plans", {"random_seed": fakes.UNTIL_CANCELLED})
    reports: list[tuple[str, float]] = []

    def note(phase: str, fraction: float) -> None:
        reports.append((phase, fraction))
        client.cancel(job["id"])

    with pytest.raises(JobCancelled):
        client.result(job, note)
    assert reports == [("search", 0.25)]


def test_a_key_is_sent(tmp_path: Path) -> None:
    token = create(tmp_path / "keys.json", "ann")
    settings = Settings(data_dir=tmp_path / "data", keys_file=tmp_path / "keys.json")
    with serve_in_background(create_app(settings, Work(fakes.describe, fakes.plan))) as base:
        with Client(base, key=token) as client:
            assert list(client.cases()) == []
        with Client(base) as client, pytest.raises(ProblemError, match="No key"):
            list(client.cases())


def test_an_unreachable_service_is_reported() -> None:
    with Client("http://127.0.0.1:9", patience_s=0.5) as client, pytest.raises(httpx.TransportError):
        client.version()


class CommentingHandler(http.server.BaseHTTPRequestHandler):
    """Replies to the first request with comments only and breaks off; the second reply has the last event."""

    protocol_version = "HTTP/1.1"
    requests = 0

    def do_GET(self) -> None:
        CommentingHandler.requests += 1
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        for _ in range(8):
            self.wfile.write(b": nothing new\n\n")
            time.sleep(0.25)
        if CommentingHandler.requests > 1:
            self.wfile.write(b'id: 1\ndata: {"state": "done"}\n\n')
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        del format, args


def test_an_event_stream_that_breaks_off_after_comments_is_requested_again() -> None:
    """It breaks off after more time than the client waits for a silent service."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), CommentingHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Client(f"http://127.0.0.1:{server.server_port}", patience_s=1.0) as client:
            assert list(client.events("x")) == [{"state": "done"}]
        server.shutdown()
    assert CommentingHandler.requests == 2


@pytest.mark.long
def test_a_plan_is_finished_although_its_service_restarts(tmp_path: Path) -> None:
    service = Service({"SEEDPATH_DATA_DIR": str(tmp_path / "data")}, tmp_path / "log")
    with running(service), Client(service.base) as client:
        case = client.add_builtin("thorax")
        progress_received = threading.Event()

        def restart() -> None:
            progress_received.wait()
            service.kill()
            time.sleep(1.0)
            service.start()

        thread = threading.Thread(target=restart)
        thread.start()
        file = client.plan(case, {"random_seed": 7}, lambda phase, fraction: progress_received.set())
        thread.join()
        assert file.plan.request.random_seed == 7
