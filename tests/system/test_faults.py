"""What a server bears: two hundred clients at once, clients that stall or vanish, a store it cannot write."""

import asyncio
import contextlib
import socket
import struct
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from health_watch import HealthWatch
from mount_namespace import may_mount  # noqa: F401
from phantom import write_phantom
from rest_calls import healthy, problem, until, upload
from service_process import GENEROUS_S, Service, eventually, running

from service.interactive.appraisers import MOST_OF_OWNER

CLIENTS = 200
ROUNDS = 3
HEALTH_S = 1.0
"""Within which health is answered, whatever the crowd."""

MOST_GROWTH_BYTES = 300 << 20
"""Of the server's memory, while all clients ask at once: far below a copy of anything for each."""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("crowd") / "data"


@pytest.fixture(scope="module")
def service(data_dir: Path) -> Iterator[Service]:
    settings = {"SEEDPATH_DATA_DIR": str(data_dir)}
    with running(Service(settings, data_dir.with_name("log"))) as running_service:
        with running_service.client() as client:
            healthy(client)
        yield running_service


def phantom_case(client: httpx.Client, folder: Path) -> str:
    files = write_phantom(folder)
    parts = (("file", "labels.nii.gz"), ("names", "labels.json"))
    answer = client.post(
        "/v1/cases", **upload(*((part, name, (files / name).read_bytes()) for part, name in parts))
    )
    assert answer.status_code in (200, 201), answer.text
    return f"/v1/cases/{answer.json()['id']}"


NEEDLES = {
    "paths": [{"entry_mm": [67.0, -20.0, 79.0], "tip_mm": [67.0, 71.0, 79.0]}],
    "request": {"target": {"structure": "node_4R"}},
}

Answers = list[tuple[str, str, httpx.Response]]
"""Method, documented path, answer."""


class Crowd:
    """Clients that ask at once, each with a connection of its own, and all that was answered."""

    def __init__(self, base: str, case: str, watched: str) -> None:
        self.base, self.case, self.watched = base, case, watched
        self.answers: Answers = []
        self.accepted: list[str] = []
        self.streams: list[str] = []

    async def ask(self, number: int) -> None:
        """What the client of this number does, again and again."""
        kinds = (self._health, self._list, self._evaluate, self._order, self._watch)
        # One connection for each: a pool would queue them up.
        async with httpx.AsyncClient(base_url=self.base, trust_env=False, timeout=GENEROUS_S) as client:
            for turn in range(ROUNDS):
                await kinds[(number + turn) % len(kinds)](client)

    def _note(self, method: str, path: str, answer: httpx.Response) -> None:
        self.answers.append((method, path, answer))

    async def _health(self, client: httpx.AsyncClient) -> None:
        self._note("get", "/v1/health", await client.get("/v1/health"))

    async def _list(self, client: httpx.AsyncClient) -> None:
        self._note("get", "/v1/jobs", await client.get("/v1/jobs", params={"limit": 100}))

    async def _evaluate(self, client: httpx.AsyncClient) -> None:
        answer = await client.post(f"{self.case}/paths:evaluate", json=NEEDLES)
        self._note("post", "/v1/cases/{case_id}/paths:evaluate", answer)

    async def _order(self, client: httpx.AsyncClient) -> None:
        answer = await client.post(f"{self.case}/plans", json={})
        self._note("post", "/v1/cases/{case_id}/plans", answer)
        if answer.status_code == 202:
            self.accepted.append(answer.headers["location"])

    async def _watch(self, client: httpx.AsyncClient) -> None:
        answer = await client.get(f"{self.watched}/events")
        self._note("get", "/v1/jobs/{job_id}/events", answer)
        if answer.status_code == 200:
            self.streams.append(answer.text)


async def _all_at_once(crowd: Crowd) -> None:
    await asyncio.gather(*(crowd.ask(number) for number in range(CLIENTS)))


@pytest.mark.long
def test_two_hundred_clients_at_once_are_all_answered(service: Service, tmp_path: Path) -> None:
    with service.client() as client:
        case = phantom_case(client, tmp_path)
        # Benches are up and the scene is warm: what is measured is the crowd.
        assert client.post(f"{case}/paths:evaluate", json=NEEDLES).status_code == 200
        documented = client.get("/v1/openapi.json").json()["paths"]
        watched = client.post(f"{case}/plans", json={}).headers["location"]
        assert service.process is not None
        process = psutil.Process(service.process.pid)
        before = process.memory_info().rss
        crowd = Crowd(service.base, case, watched)
        watch = HealthWatch(service.base, service.process.pid)
        with watch.watching():
            asyncio.run(_all_at_once(crowd))
        grown = process.memory_info().rss - before
    counts = Counter((path, answer.status_code) for _, path, answer in crowd.answers)
    print(f"{dict(counts)}, {grown / 2**20:.0f} MiB more")
    print(
        f"health: {len(watch.answers)} answers, the longest {watch.longest_s:.2f} s, "
        f"{watch.longest_at_work_s:.2f} s without what was waited for a processor"
    )
    assert len(crowd.answers) == CLIENTS * ROUNDS
    assert {answer.status for answer in watch.answers} == {200} and len(watch.answers) > 10
    assert watch.longest_at_work_s <= HEALTH_S
    for method, path, answer in crowd.answers:
        content = documented[path][method]["responses"][str(answer.status_code)].get("content", {})
        assert answer.headers["content-type"].partition(";")[0] in content, (path, answer.status_code)
        # A fault of the service's own is documented too, and is none that a crowd may bring about.
        assert answer.status_code != 500, answer.text
    # Who reads is always answered; of who orders, as many as there is room for.
    answered = {path: 0 for _, path, _ in crowd.answers}
    for _, path, answer in crowd.answers:
        answered[path] += answer.status_code < 300
    assert answered["/v1/jobs"] == answered["/v1/health"] == CLIENTS * ROUNDS // 5
    assert answered["/v1/jobs/{job_id}/events"] == CLIENTS * ROUNDS // 5 == len(crowd.streams)
    assert answered["/v1/cases/{case_id}/paths:evaluate"] >= MOST_OF_OWNER and len(crowd.accepted) > 0
    assert all(text.count("event: done") == 1 for text in crowd.streams)
    with service.client() as client:
        for job in crowd.accepted:
            assert until(client, job, "done", "failed", "cancelled")["state"] == "done"
        eventually(lambda: healthy(client)["jobs"]["queued"] == 0)
    assert grown < MOST_GROWTH_BYTES, f"{grown / 2**20:.0f} MiB"


# Clients that stall or vanish


def connected(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port))


HALF_A_FORM = (
    b"POST /v1/cases HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 8000000\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.nii"\r\n\r\n'
) + b"a" * 4_000_000


def open_files(service: Service) -> set[str]:
    assert service.process is not None
    return {file.path for file in psutil.Process(service.process.pid).open_files()}


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_half_an_upload_leaves_nothing(service: Service, data_dir: Path, how: str) -> None:
    aside = data_dir / "aside"
    before = open_files(service)
    with service.client() as client:
        listed = client.get("/v1/cases").json()
        with connected(service) as raw:
            if how == "reset":
                # What closes then is not said goodbye to: the other side finds the connection gone.
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.sendall(HALF_A_FORM)
            eventually(lambda: list(aside.iterdir()) != [])
        eventually(lambda: list(aside.iterdir()) == [])
        assert client.get("/v1/cases").json() == listed
        # Neither does what was received so far stay open somewhere else.
        eventually(lambda: open_files(service) <= before)
        form = upload(("file", f"{how}.nii", b"a"))
        assert client.post("/v1/cases", **form).status_code == 201


def test_clients_that_stall_hold_nobody_up(service: Service, tmp_path: Path) -> None:
    """Some send half a head, some half a body, some ask for much and read none of it."""
    with service.client() as client:
        case = phantom_case(client, tmp_path)
        first_job = until(client, client.post(f"{case}/plans", json={}).headers["location"], "done")
        body = f"POST {case}/plans HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        half_a_head, half_a_body = b"GET /v1/ver", (body + "Content-Length: 9\r\n\r\n{").encode()
        # More than buffers on the way hold, and fewer requests than an owner may send at once.
        unread = b"GET /v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 20
        assert service.process is not None
        process = psutil.Process(service.process.pid)
        with contextlib.ExitStack() as stack:
            for sent in (half_a_head, half_a_body, unread):
                for _ in range(30):
                    raw = stack.enter_context(connected(service))
                    raw.setblocking(False)
                    with contextlib.suppress(BlockingIOError):
                        raw.send(sent)
            before = process.memory_info().rss
            for _ in range(20):
                assert client.get("/v1/version").status_code == 200
                assert client.get(first_job["plan"]).status_code == 200
            second_job = client.post(f"{case}/plans", json={"random_seed": 1}).headers["location"]
            assert until(client, second_job, "done")["attempt"] == 1
            assert process.memory_info().rss - before < MOST_GROWTH_BYTES
        assert healthy(client)["status"] == "ok"


# A store that cannot be written


class Disk:
    """The store as the server alone sees it: other processes go on writing it."""

    def __init__(self, service: Service, folder: Path) -> None:
        self._service, self._folder = service, str(folder)

    def becomes_read_only(self) -> None:
        self._run("mount", "--bind", self._folder, self._folder)
        self._run("mount", "-o", "remount,bind,ro", self._folder)

    def becomes_full(self) -> None:
        fill = f'cat /dev/zero > "{self._folder}/filling"; test -s "{self._folder}/filling"'
        self._run("sh", "-c", fill)

    def is_mended(self) -> None:
        self._run("umount", "--lazy", self._folder)

    def _run(self, *command: str) -> None:
        assert self._service.process is not None
        enter = ["nsenter", "-t", str(self._service.process.pid), "-m"]
        subprocess.run([*enter, *command], check=True, capture_output=True)


def files_in(folder: Path) -> set[str]:
    folders = ("cases", "plans", "results", "aside")
    return {str(p.relative_to(folder)) for name in folders for p in (folder / name).rglob("*")}


@pytest.mark.long
@pytest.mark.usefixtures("may_mount")
def test_a_store_that_becomes_read_only_is_reported_and_still_read(tmp_path: Path) -> None:
    data = tmp_path / "data"
    apart = Service({"SEEDPATH_DATA_DIR": str(data)}, tmp_path / "log", prefix=("unshare", "-m"))
    with running(apart) as service, service.client() as client:
        healthy(client)
        case = client.post("/v1/cases", **upload(("file", "a.nii", b"a"))).headers["location"]
        first = until(client, client.post(f"{case}/plans", json={}).headers["location"], "done")
        before = files_in(data)
        disk = Disk(service, data)
        disk.becomes_read_only()
        documented = client.get("/v1/openapi.json").json()["paths"]
        eventually(lambda: client.get("/v1/health").status_code == 507)
        for method, path, address, sent in (
            ("get", "/v1/health", "/v1/health", {}),
            ("post", "/v1/cases", "/v1/cases", upload(("file", "b.nii", b"b"))),
            ("delete", "/v1/plans/{plan_id}", first["plan"], {}),
            ("delete", "/v1/cases/{case_id}", case, {}),
        ):
            problem(client.request(method, address, **sent), "no-room")
            assert "507" in documented[path][method]["responses"]
        refused = client.post(f"{case}/plans", json={"random_seed": 1}, headers={"Prefer": "wait=60"})
        # Records may be on another disk than files: then it is the job that fails. Either is said.
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.status_code in (503, 507)
        # What is there goes on to be read: what was to be removed too.
        for address in (case, first["plan"], "/v1/cases", "/v1/plans", "/v1/jobs", f"/v1/jobs/{first['id']}"):
            assert client.get(address).status_code == 200, address
        assert "seedpath_database_up 1.0" in client.get("/metrics").text
        assert files_in(data) == before
        disk.is_mended()
        eventually(lambda: client.get("/v1/health").status_code == 200)
        assert until(client, client.post(f"{case}/plans", json={}).headers["location"], "done")
        assert client.delete(first["plan"]).status_code == 204
        assert client.delete(case).status_code == 204
        assert files_in(data) == {"results/evaluations", "results/replans"}


@pytest.mark.long
@pytest.mark.usefixtures("may_mount")
def test_a_full_store_is_reported_and_still_read_and_emptied(tmp_path: Path) -> None:
    """Records are elsewhere; tests/system/test_full_disk.py has them on the disk that becomes full."""
    data = tmp_path / "data"
    data.mkdir()
    small = f'mount -t tmpfs -o size=8m none "{data}" && exec "$0" "$@"'
    settings = {"SEEDPATH_DATA_DIR": str(data), "SEEDPATH_DATABASE_URL": f"sqlite:///{tmp_path}/records.db"}
    settings |= {"SEEDPATH_RESERVE_BYTES": str(1 << 20)}
    apart = Service(settings, tmp_path / "log", prefix=("unshare", "-m", "sh", "-c", small))
    with running(apart) as service, service.client() as client:
        healthy(client)
        case = client.post("/v1/cases", **upload(("file", "a.nii", b"a" * 2_000_000))).headers["location"]
        plan = until(client, client.post(f"{case}/plans", json={}).headers["location"], "done")["plan"]
        Disk(service, data).becomes_full()
        problem(client.post("/v1/cases", **upload(("file", "b.nii", b"b"))), "no-room")
        for address in (case, plan):
            assert client.get(address).status_code == 200
        for address in (plan, case):
            assert client.delete(address).status_code == 204
            assert client.get(address).status_code == 404
        # What they took is free again, but for what is kept back.
        response = client.post("/v1/cases", **upload(("file", "a.nii", b"a" * 1_000_000)))
        assert response.status_code == 201


@pytest.mark.usefixtures("may_mount")
def test_a_server_does_not_start_on_a_store_that_it_cannot_write(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(Service({"SEEDPATH_DATA_DIR": str(data)}, tmp_path / "log")):
        pass
    read_only = f'mount --bind "{data}" "{data}" && mount -o remount,bind,ro "{data}" && exec "$0" "$@"'
    apart = ("unshare", "-m", "sh", "-c", read_only)
    second = Service({"SEEDPATH_DATA_DIR": str(data)}, tmp_path / "second", prefix=apart)
    second.start()
    assert second.process is not None and second.process.wait(GENEROUS_S) == 2
    log_text = second.log.read_text(encoding="utf-8")
    assert (
        log_text.startswith("seedpath: error: ")
        and "Read-only file system" in log_text
        and log_text.count("\n") == 1
    )
