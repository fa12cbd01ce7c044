"""The end of a server: all its parts end, at once, whatever one of them raises."""

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
def test_all_parts_end_at_once_and_the_database_last(
    faulty: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    parts = app.state.service
    all_end = threading.Barrier(len(PARTS))
    ended: list[str] = []

    def end(name: str) -> None:
        # Nobody is past it before all are at it.
        all_end.wait(GENEROUS_S)
        ended.append(name)
        if name == faulty:
            raise OSError(name)

    close_database = parts.database.close

    def end_database() -> None:
        ended.append("database")
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
    assert sorted(ended[:-1]) == sorted(PARTS) and ended[-1] == "database"


def test_workers_are_let_go_though_the_threads_beside_them_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at a share that does not answer."""
    monkeypatch.setattr(dispatcher, "END_S", 0.2)
    monkeypatch.setattr(periodic_thread, "END_S", 0.2)
    let_go, hangs, goes_on = threading.Event(), threading.Semaphore(0), threading.Event()

    def hang(*_: object) -> None:
        hangs.release()
        assert goes_on.wait(GENEROUS_S)

    parts = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan)).state.service
    monkeypatch.setattr(parts.dispatcher, "_look", hang)
    monkeypatch.setattr(parts.dispatcher._monitor, "_look", lambda: None)
    monkeypatch.setattr(parts.dispatcher._monitor._periodic_thread, "_do", hang)
    monkeypatch.setattr(parts.dispatcher._workforce, "close", let_go.set)
    parts.dispatcher.start()
    for _ in range(2):
        assert hangs.acquire(timeout=GENEROUS_S)
    let_go.clear()
    parts.dispatcher.close()
    assert let_go.is_set() and not goes_on.is_set()
    goes_on.set()
    parts.database.close()


def test_a_start_that_fails_ends_what_has_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(Settings(data_dir=tmp_path), Work(fakes.describe, fakes.plan))
    parts = app.state.service
    ended: list[str] = []

    def fail() -> None:
        raise OSError("retention_rounds")

    monkeypatch.setattr(parts.dispatcher, "start", lambda: None)
    monkeypatch.setattr(parts.dispatcher, "close", lambda: ended.append("dispatcher"))
    monkeypatch.setattr(parts.retention_rounds, "start", fail)

    async def run() -> None:
        async with app.router.lifespan_context(app):
            raise AssertionError("It has not started.")

    with pytest.raises(OSError, match="retention_rounds"):
        asyncio.run(run())
    assert ended == ["dispatcher"]
