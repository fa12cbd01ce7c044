"""An accepted job survives SIGKILL of sandboxes, workers and servers, and an unavailable database."""

import contextlib
import json
import os
import random
import time
from pathlib import Path

import psutil
import pytest
import slow_work
from planning_service import (  # noqa: F401
    accepted,
    case_of,
    dask_settings,
    is_whole,
    marks,
    service,
    until_done,
    until_running,
)
from postgres import Postgres
from service_process import Service, ask, eventually, running

KILLS = int(os.environ.get("TEST_KILLS", "6"))
"""How often random processes are killed; docs/reliability.md has the results of a hundred."""


@pytest.mark.representative(1)
@pytest.mark.parametrize("program", ["sandbox.main", "spawn_main"])
def test_a_job_survives_the_loss_of_its_worker(service: Service, program: str) -> None:
    with service.client() as client:
        job = accepted(client, case_of(client), 1)
        until_running(service, job)
        processes = service.processes(program)
        assert processes
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        final_state = until_done(service, job)
    assert final_state["attempt"] >= 2 and is_whole(service, final_state, 1)
    if program == "sandbox.main":
        lines = [
            json.loads(text_line)
            for text_line in service.log.read_text(encoding="utf-8").splitlines()
            if text_line[:1] == "{"
        ]
        job_lines = [line for line in lines if line["logger"] == "seedpath.jobs"]
        assert [line["job_id"] for line in job_lines] == [job.rpartition("/")[2]]


def test_a_job_survives_the_loss_of_its_server(service: Service) -> None:
    with service.client() as client:
        plans = case_of(client)
        jobs = [accepted(client, plans, seed) for seed in range(3)]
    until_running(service, jobs[0])
    children = service.processes("")
    service.kill()
    eventually(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in children))
    service.start()
    service.until_up()
    for seed, job in enumerate(jobs):
        assert is_whole(service, until_done(service, job), seed)


@pytest.mark.long
def test_a_server_ends_on_request_and_jobs_continue_at_its_next_start(service: Service) -> None:
    with service.client() as client:
        job = accepted(client, case_of(client), slow_work.LONG)
        until_running(service, job)
        with client.stream("GET", f"{job}/events") as stream:
            lines = stream.iter_lines()
            next(lines)
            assert service.end() in (0, -15)
            # The stream ends, so that the client does not wait for ever.
            assert list(lines) != []
    log = service.log.read_text(encoding="utf-8")
    assert "Traceback" not in log, log
    service.start()
    service.until_up()
    final_state = until_done(service, job)
    assert final_state["attempt"] >= 2 and is_whole(service, final_state, slow_work.LONG)


@pytest.mark.long
def test_every_job_is_done_once_although_random_processes_are_killed(service: Service, marks: Path) -> None:
    """Random processes are killed at random times: no job or file is lost, incomplete or doubled."""
    random_numbers = random.Random(7)
    with service.client() as client:
        plans = case_of(client)
    jobs: dict[str, int] = {}
    for number in range(KILLS):
        with service.client() as client:
            jobs[accepted(client, plans, number)] = number
        time.sleep(random_numbers.uniform(0.0, 1.5))
        victim = random_numbers.choice(["sandbox.main", "spawn_main", "server", "both"])
        if victim in ("server", "both"):
            if victim == "both":
                for process in service.processes(""):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
            service.kill()
            service.start()
            service.until_up()
        else:
            for process in service.processes(victim):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
    for job, seed in jobs.items():
        assert is_whole(service, until_done(service, job), seed)
        with service.client() as client:
            text = client.get(f"{job}/events").text
        states = [json.loads(line[6:])["state"] for line in text.splitlines() if line.startswith("data: ")]
        assert states[0] == "queued" and states.count("done") == 1 and states[-1] == "done"
    folder = Path(service.settings["SEEDPATH_DATA_DIR"])
    assert len(list((folder / "plans").iterdir())) == KILLS
    assert len({mark_file.name.split("-")[1] for mark_file in marks.glob("ended-*")}) == KILLS


@pytest.mark.long
def test_one_of_two_servers_runs_the_jobs_and_the_other_takes_over(
    service: Service, tmp_path: Path, marks: Path
) -> None:
    with running(Service(service.settings, tmp_path / "second")) as second_server:
        with second_server.client() as client:
            # The waiting server reports the number of workers of the other.
            eventually(lambda: (ask(second_server, "/v1/health") or {}).get("workers") == 1)
            plans = case_of(client)
            jobs = [accepted(client, plans, seed) for seed in range(3)]
        for seed, job in enumerate(jobs):
            final_state = until_done(second_server, job)
            assert is_whole(service, final_state, seed) and final_state["attempt"] == 1
        assert len(list(marks.glob("begun-*"))) == 3
        with second_server.client() as client:
            last_job = accepted(client, plans, slow_work.LONG)
        until_running(second_server, last_job)
        service.kill()
        assert is_whole(second_server, until_done(second_server, last_job), slow_work.LONG)


# Several servers, one scheduler


@pytest.mark.long
def test_several_servers_are_one_service(tmp_path: Path, marks: Path, postgres: Postgres) -> None:
    with dask_settings(tmp_path, marks, postgres) as settings, contextlib.ExitStack() as stack:
        first_server, second_server = (
            stack.enter_context(running(Service(settings, tmp_path / f"log-{name}"))) for name in "ab"
        )
        for service in (first_server, second_server):
            eventually(lambda s=service: (ask(s, "/v1/health") or {}).get("workers") == 2)
        with first_server.client() as client:
            plans = case_of(client)
            jobs = [accepted(client, plans, seed) for seed in range(6)]
        # A job accepted by one server is listed, and can be cancelled, at the other.
        with second_server.client() as second_client:
            assert {f"/v1/jobs/{j['id']}" for j in second_client.get("/v1/jobs").json()["items"]} == set(jobs)
            cancelled_job = accepted(second_client, plans, 9)
            with first_server.client() as client:
                assert client.delete(cancelled_job).json()["state"] == "cancelled"
        for seed, job in enumerate(jobs):
            final_state = until_done(second_server, job)
            assert is_whole(first_server, final_state, seed) and final_state["attempt"] == 1
        # No process died, so no work was done twice, although two servers dispatch.
        assert sorted(p.name.split("-")[1] for p in marks.glob("begun-*") if "-9-" not in p.name) == list(
            "012345"
        )
        # A job is finished although the server that accepted it has ended.
        with first_server.client() as client:
            last_job = accepted(client, plans, slow_work.LONG)
        until_running(second_server, last_job)
        first_server.kill()
        assert is_whole(second_server, until_done(second_server, last_job), slow_work.LONG)


@pytest.mark.long
def test_ten_seconds_without_the_database_lose_no_job(
    tmp_path: Path, marks: Path, postgres: Postgres
) -> None:
    settings = {
        "SEEDPATH_DATA_DIR": str(tmp_path / "data"),
        "SEEDPATH_DATABASE_URL": postgres.url,
        "SEEDPATH_DATABASE_PATIENCE_S": "1",
        slow_work.MARKS: str(marks),
    }
    with running(Service(settings, tmp_path / "log")) as service, service.client() as client:
        plans = case_of(client)
        job = accepted(client, plans, 3)
        until_running(service, job)
        postgres.stop()
        try:
            stopped_s = time.monotonic()
            eventually(lambda: client.get("/v1/health").status_code == 503)
            for path in (job, "/v1/cases", "/v1/health"):
                response = client.get(path)
                assert response.status_code == 503 and response.json()["type"] == "/v1/problems/unavailable"
                assert "retry-after" in response.headers
            assert client.post(plans, json={}).status_code == 503
            assert client.get("/v1/version").status_code == 200
            assert "seedpath_database_up 0.0" in client.get("/metrics").text
            time.sleep(max(0.0, 10.0 - (time.monotonic() - stopped_s)))
        finally:
            postgres.start()
        final_state = until_done(service, job)
        assert is_whole(service, final_state, 3)
        assert len(list(marks.glob("ended-3-*"))) == 1
