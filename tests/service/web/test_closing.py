"""Closing a server: all its parts close, in parallel, whatever one of them raises."""

import asyncio
import threading
from pathlib import Path

import plan_work as fakes
import pytest

from service.host import periodic_thread
from service.jobs import dispatcher
from service.operations.job_tasks import Work
from service.settings import Settings
from service.web.app import create_app

GENEROUS_S = 60.0

PARTS = ["dispatcher", "case_reader", "appraisers", "retention_rounds", "health_monitor"]


@pytest.mark.parametrize("faulty", [None, *PARTS])
def test_all_parts_close_in_parallel_and_the_database_last(
    faulty: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    parts = app.state.service
    all_closing = threading.Barrier(len(PARTS))
    closed: list[str] = []

    def end(name: str) -> None:
        # No part passes the barrier before all have reached it.
        all_closing.wait(GENEROUS_S)
        closed.append(name)
        if name == faulty:
            raise OSError(name)

    close_database = parts.database.close

    def end_database() -> None:
        closed.append("database")
        close_database()

    for name in PARTS:
        monkeypatch.setattr(getattr(parts, name), "close", lambda name=name: end(name))
        monkeypatch.setattr(getattr(parts, name), "start", lambda: None, raising=False)
    monkeypatch.setattr(parts.database, "close", end_database)

    async def run() -> None:
        async with app.router.lifespan_context(app):
            pass

    if faulty is None:
        asyncio.run(run())
    else:
        with pytest.raises(OSError, match=faulty):
            asyncio.run(run())
    assert sorted(closed[:-1]) == sorted(PARTS) and closed[-1] == "database"


def test_workers_are_released_although_other_threads_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a network share that does not answer."""
    monkeypatch.setattr(dispatcher, "END_S", 0.2)
    monkeypatch.setattr(periodic_thread, "END_S", 0.2)
    workers_released, hanging_threads, may_continue = (
        threading.Event(),
        threading.Semaphore(0),
        threading.Event(),
    )

    def hang(*_: object) -> None:
        hanging_threads.release()
        assert may_continue.wait(GENEROUS_S)

    parts = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan)).state.service
    monkeypatch.setattr(parts.dispatcher, "_look", hang)
    monkeypatch.setattr(parts.dispatcher._monitor, "_look", lambda: None)
    monkeypatch.setattr(parts.dispatcher._monitor._periodic_thread, "_do", hang)
    monkeypatch.setattr(parts.dispatcher._workforce, "close", workers_released.set)
    parts.dispatcher.start()
    for _ in range(2):
        assert hanging_threads.acquire(timeout=GENEROUS_S)
    workers_released.clear()
    parts.dispatcher.close()
    assert workers_released.is_set() and not may_continue.is_set()
    may_continue.set()
    parts.database.close()


def test_a_failed_start_closes_the_parts_already_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    parts = app.state.service
    closed: list[str] = []

    def fail() -> None:
        raise OSError("retention_rounds")

    monkeypatch.setattr(parts.dispatcher, "start", lambda: None)
    monkeypatch.setattr(parts.dispatcher, "close", lambda: closed.append("dispatcher"))
    monkeypatch.setattr(parts.retention_rounds, "start", fail)

    async def run() -> None:
        async with app.router.lifespan_context(app):
            raise AssertionError("It has not started.")

    with pytest.raises(OSError, match="retention_rounds"):
        asyncio.run(run())
    assert closed == ["dispatcher"]
