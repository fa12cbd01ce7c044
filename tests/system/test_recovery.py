"""What was accepted outlives everything: kill -9 of sandboxes, workers and servers, a database that is
away."""

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
"""How often random processes are killed; docs/reliability.md has what a hundred showed."""


@pytest.mark.representative(1)
@pytest.mark.parametrize("what", ["sandbox.main", "spawn_main"])
def test_a_job_outlives_its_worker(service: Service, what: str) -> None:
    with service.client() as client:
        job = accepted(client, case_of(client), 1)
        until_running(service, job)
        busy = service.processes(what)
        assert busy
        for process in busy:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        final_state = until_done(service, job)
    assert final_state["attempt"] >= 2 and is_whole(service, final_state, 1)
    if what == "sandbox.main":
        lines = [json.loads(t) for t in service.log.read_text(encoding="utf-8").splitlines() if t[:1] == "{"]
        job_lines = [line for line in lines if line["logger"] == "seedpath.jobs"]
        assert [line["job_id"] for line in job_lines] == [job.rpartition("/")[2]]


def test_a_job_outlives_its_server(service: Service) -> None:
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
def test_a_server_ends_when_it_is_asked_to_and_jobs_go_on_at_its_next_start(service: Service) -> None:
    with service.client() as client:
        job = accepted(client, case_of(client), slow_work.LONG)
        until_running(service, job)
        with client.stream("GET", f"{job}/events") as stream:
            lines = stream.iter_lines()
            next(lines)
            assert service.end() in (0, -15)
            # The stream has an end: the client is not left waiting.
            assert list(lines) != []
    log = service.log.read_text(encoding="utf-8")
    assert "Traceback" not in log, log
    service.start()
    service.until_up()
    final_state = until_done(service, job)
    assert final_state["attempt"] >= 2 and is_whole(service, final_state, slow_work.LONG)


@pytest.mark.long
def test_whatever_is_killed_whenever_every_job_is_done_once(service: Service, marks: Path) -> None:
    """Random processes are killed at random moments: nothing is lost, half written, or told twice."""
    chance = random.Random(7)
    with service.client() as client:
        plans = case_of(client)
    jobs: dict[str, int] = {}
    for kill in range(KILLS):
        with service.client() as client:
            jobs[accepted(client, plans, kill)] = kill
        time.sleep(chance.uniform(0.0, 1.5))
        what = chance.choice(["sandbox.main", "spawn_main", "server", "both"])
        if what in ("server", "both"):
            if what == "both":
                for process in service.processes(""):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
            service.kill()
            service.start()
            service.until_up()
        else:
            for process in service.processes(what):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
    for job, seed in jobs.items():
        assert is_whole(service, until_done(service, job), seed)
        with service.client() as client:
            text = client.get(f"{job}/events").text
        data = [json.loads(line[6:])["state"] for line in text.splitlines() if line.startswith("data: ")]
        assert data[0] == "queued" and data.count("done") == 1 and data[-1] == "done"
    folder = Path(service.settings["SEEDPATH_DATA_DIR"])
    assert len(list((folder / "plans").iterdir())) == KILLS
    assert len({p.name.split("-")[1] for p in marks.glob("ended-*")}) == KILLS


@pytest.mark.long
def test_of_two_servers_without_a_scheduler_one_does_the_jobs_and_the_other_takes_over(
    service: Service, tmp_path: Path, marks: Path
) -> None:
    with running(Service(service.settings, tmp_path / "second")) as second:
        with second.client() as client:
            # The one that waits says how many workers there are at the other.
            eventually(lambda: (ask(second, "/v1/health") or {}).get("workers") == 1)
            plans = case_of(client)
            jobs = [accepted(client, plans, seed) for seed in range(3)]
        for seed, job in enumerate(jobs):
            final_state = until_done(second, job)
            assert is_whole(service, final_state, seed) and final_state["attempt"] == 1
        assert len(list(marks.glob("begun-*"))) == 3
        with second.client() as client:
            last = accepted(client, plans, slow_work.LONG)
        until_running(second, last)
        service.kill()
        assert is_whole(second, until_done(second, last), slow_work.LONG)


# Several servers, one scheduler


@pytest.mark.long
def test_several_servers_are_one_service(tmp_path: Path, marks: Path, postgres: Postgres) -> None:
    with dask_settings(tmp_path, marks, postgres) as settings, contextlib.ExitStack() as stack:
        one, two = (
            stack.enter_context(running(Service(settings, tmp_path / f"log-{name}"))) for name in "ab"
        )
        for service in (one, two):
            eventually(lambda s=service: (ask(s, "/v1/health") or {}).get("workers") == 2)
        with one.client() as client:
            plans = case_of(client)
            jobs = [accepted(client, plans, seed) for seed in range(6)]
        # What one accepted, the other knows, shows and can withdraw.
        with two.client() as other:
            assert {f"/v1/jobs/{j['id']}" for j in other.get("/v1/jobs").json()["items"]} == set(jobs)
            withdrawn = accepted(other, plans, 9)
            with one.client() as client:
                assert client.delete(withdrawn).json()["state"] == "cancelled"
        for seed, job in enumerate(jobs):
            final_state = until_done(two, job)
            assert is_whole(one, final_state, seed) and final_state["attempt"] == 1
        # Nobody died, so that nothing was done twice, though two servers handed it over.
        assert sorted(p.name.split("-")[1] for p in marks.glob("begun-*") if "-9-" not in p.name) == list(
            "012345"
        )
        # What a server accepted is finished without it.
        with one.client() as client:
            last = accepted(client, plans, slow_work.LONG)
        until_running(two, last)
        one.kill()
        assert is_whole(two, until_done(two, last), slow_work.LONG)


@pytest.mark.long
def test_a_database_that_is_away_for_ten_seconds_loses_nothing(
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
            away = time.monotonic()
            eventually(lambda: client.get("/v1/health").status_code == 503)
            for address in (job, "/v1/cases", "/v1/health"):
                answer = client.get(address)
                assert answer.status_code == 503 and answer.json()["type"] == "/v1/problems/unavailable"
                assert "retry-after" in answer.headers
            assert client.post(plans, json={}).status_code == 503
            assert client.get("/v1/version").status_code == 200
            assert "seedpath_database_up 0.0" in client.get("/metrics").text
            time.sleep(max(0.0, 10.0 - (time.monotonic() - away)))
        finally:
            postgres.start()
        final_state = until_done(service, job)
        assert is_whole(service, final_state, 3)
        assert len(list(marks.glob("ended-3-*"))) == 1
