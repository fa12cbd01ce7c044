"""Retention by age and size: what it removes and leaves, what it records, and when it waits."""

import errno
import fcntl
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from alembic import command
from hypothesis import given
from hypothesis import strategies as st
from kept_data import Kept
from service_process import eventually
from sqlalchemy import Connection, delete, event, text, update

from service.logs.audit import audit_to
from service.logs.json_lines import AUDIT
from service.logs.rotation import DAY_S, rotated_files
from service.maintenance.retention.due import Due, HoldingRow, ItemKey, due
from service.maintenance.retention.grace import GRACE_S, GracePeriod
from service.maintenance.retention.policy import Policy
from service.maintenance.retention.rounds import MOST_AT_ONCE, Retention, RetentionRounds
from service.schemas.result_kinds import CASE, ResultKind
from service.settings import Settings
from service.storage.database.connection import Database
from service.storage.database.migrate import _config, migrate
from service.storage.database.tables import holdings, jobs
from service.storage.job import NewJob
from service.storage.job_states import OPEN
from service.storage.ownership import last_used_s

NOW_S = 2_000_000_000.0

# Items that are due, from rows alone

OWNERS, CASES, RESULTS = ("ann", "ben"), ("c1", "c2", "c3"), ("p1", "p2", "p3", "p4")
ages_s = st.floats(0.0, 100.0).map(lambda days: NOW_S - days * DAY_S)
cases = st.builds(
    lambda owner, id, at_s: HoldingRow(owner, CASE, id, id, at_s),
    st.sampled_from(OWNERS),
    st.sampled_from(CASES),
    ages_s,
)
results = st.builds(
    HoldingRow,
    st.sampled_from(OWNERS),
    st.sampled_from([str(kind) for kind in ResultKind]),
    st.sampled_from(RESULTS),
    st.sampled_from(CASES),
    ages_s,
)
rows = st.lists(cases | results, max_size=12, unique_by=lambda r: (r.owner, r.kind, r.id, r.case_id))
# What open jobs work on: a case, or a plan of it.
keys_of_open_jobs = st.sets(
    st.tuples(st.sampled_from(OWNERS), st.just(CASE), st.sampled_from(CASES))
    | st.tuples(st.sampled_from(OWNERS), st.just(str(ResultKind.PLAN)), st.sampled_from(RESULTS)),
    max_size=4,
)
days = st.none() | st.floats(1.0, 120.0)
bounds = st.none() | st.integers(0, 60)
policies = st.builds(
    Policy, keep_cases_days=days, keep_plans_days=days, max_bytes_of_cases=bounds, max_bytes_of_plans=bounds
)


def size(kind: str, id: str) -> int:
    return 10 + len(kind)


def remaining_rows(holding_rows: list[HoldingRow], due_items: list[Due]) -> list[HoldingRow]:
    removed_keys = {(item.owner, item.kind, item.id) for item in due_items}
    return [row for row in holding_rows if (row.owner, row.kind, row.id) not in removed_keys]


@given(rows, keys_of_open_jobs, policies)
def test_items_in_use_or_needed_by_others_are_never_removed(
    holding_rows: list[HoldingRow], keys_in_use: set[ItemKey], policy: Policy
) -> None:
    due_items = due(holding_rows, keys_in_use, size, policy, NOW_S)
    kept_rows = remaining_rows(holding_rows, due_items)
    for item in due_items:
        assert (item.owner, item.kind, item.id) not in keys_in_use
        if item.kind == CASE:
            assert not any(
                row.owner == item.owner and row.case_id == item.id and row.kind != CASE for row in kept_rows
            )
        uses = [r.used_s for r in holding_rows if (r.owner, r.kind, r.id) == (item.owner, item.kind, item.id)]
        assert item.last_used_s == max(uses)
        if item.setting.startswith("keep"):
            assert item.last_used_s < NOW_S - getattr(policy, item.setting) * DAY_S


@given(rows, keys_of_open_jobs, policies)
def test_nothing_is_removed_twice_and_nothing_is_due_afterwards(
    holding_rows: list[HoldingRow], keys_in_use: set[ItemKey], policy: Policy
) -> None:
    due_items = due(holding_rows, keys_in_use, size, policy, NOW_S)
    assert len({(item.owner, item.kind, item.id) for item in due_items}) == len(due_items)
    assert due(remaining_rows(holding_rows, due_items), keys_in_use, size, policy, NOW_S) == []


@given(rows, keys_of_open_jobs)
def test_without_settings_nothing_is_removed(
    holding_rows: list[HoldingRow], keys_in_use: set[ItemKey]
) -> None:
    assert due(holding_rows, keys_in_use, size, Policy(), NOW_S) == []


@given(rows, st.integers(0, 60))
def test_files_are_removed_down_to_the_size_limit_least_recently_used_first(
    holding_rows: list[HoldingRow], max_bytes: int
) -> None:
    result_rows = [row for row in holding_rows if row.kind != CASE]
    due_items = due(holding_rows, set(), size, Policy(max_bytes_of_plans=max_bytes), NOW_S)
    files = {(row.kind, row.id) for row in remaining_rows(result_rows, due_items)}
    assert sum(size(*file) for file in files) <= max_bytes

    def last_s(file: tuple[str, str]) -> float:
        return max(row.used_s for row in result_rows if (row.kind, row.id) == file)

    removed_files = {(item.kind, item.id) for item in due_items}
    assert all(last_s(removed) <= last_s(remaining) for removed in removed_files for remaining in files)
    # No more than necessary is removed.
    if removed_files:
        assert sum(size(*file_key) for file_key in files) + size(*max(removed_files, key=last_s)) > max_bytes


# With rows and files


@pytest.fixture
def audit(tmp_path: Path) -> Iterator[Path]:
    """The audit log."""
    handler = audit_to(tmp_path / "audit.jsonl")
    yield tmp_path / "audit.jsonl"
    AUDIT.removeHandler(handler)
    handler.close()


@pytest.fixture
def clock() -> list[float]:
    return [NOW_S]


@pytest.fixture
def service_data(tmp_path: Path, open_database: Callable[[str, float], Database]) -> Kept:
    url = f"sqlite:///{tmp_path / 'records.sqlite'}"
    return Kept(tmp_path / "data", url, open_database(url, 5.0))


def set_age(service_data: Kept, days: float, *ids: str) -> None:
    """Set the age of the rows with these ids, of their last use and of their jobs."""
    at_s = NOW_S - days * DAY_S
    holding_update = update(holdings).where(holdings.c.id.in_(ids)).values(created_s=at_s, used_s=at_s)
    is_of_ids = jobs.c.case_id.in_(ids) | jobs.c.result_id.in_(ids)
    job_update = update(jobs).where(is_of_ids, jobs.c.state.not_in(OPEN)).values(created_s=at_s, ended_s=at_s)
    for change in (holding_update, job_update):
        service_data.database.write(lambda c, change=change: c.execute(change))  # type: ignore[misc]


def retention_of(service_data: Kept, audit: Path, clock: list[float], policy: Policy) -> Retention:
    return Retention(
        service_data.database, service_data.library, service_data.job_table, audit, policy, lambda: clock[0]
    )


def audit_lines(audit: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in audit.read_text(encoding="utf-8").splitlines()]


def test_old_items_are_removed_with_their_files_and_an_audit_line_each(
    service_data: Kept, audit: Path, clock: list[float]
) -> None:
    case, used_case = service_data.add_case("old"), service_data.add_case("used")
    plan, young_plan = service_data.add_plan("old", case), service_data.add_plan("young", used_case)
    set_age(service_data, 40.0, case, plan, used_case)
    set_age(service_data, 10.0, young_plan)
    retention_run = retention_of(
        service_data, audit, clock, Policy(keep_plans_days=30.0, keep_cases_days=30.0, keep_jobs_days=30.0)
    )
    removed, is_more = retention_run.remove()
    assert not is_more
    assert [(item.kind, item.id) for item in removed] == [
        ("plans", plan),
        (CASE, case),
        ("jobs", f"job{plan[:8]}"),
    ]
    assert set(service_data.files()) == {
        f"cases/{used_case}/case.json",
        f"cases/{used_case}/file/a.nii",
        f"plans/{young_plan}.json",
        f"access/{young_plan}.json",
    }
    assert (
        not (service_data.data_dir / "cases" / case).exists()
        and not (service_data.data_dir / "plans" / f"{plan}.json").exists()
    )
    audit_entries = {(line["message"], line["owner"], line["setting"]) for line in audit_lines(audit)}
    assert audit_entries == {
        (f"RETENTION plans/{plan}", "ann", "keep_plans_days"),
        (f"RETENTION cases/{case}", "ann", "keep_cases_days"),
        (f"RETENTION jobs/job{plan[:8]}", "ann", "keep_jobs_days"),
    }
    assert retention_run.due() == []


def test_a_case_stays_for_its_results_and_its_open_jobs(
    service_data: Kept, audit: Path, clock: list[float]
) -> None:
    planned, open_case = service_data.add_case("planned"), service_data.add_case("open")
    plan = service_data.add_plan("a", planned)
    service_data.order("open", open_case)
    set_age(service_data, 400.0, planned, open_case, plan)
    assert (
        retention_of(service_data, audit, clock, Policy(keep_cases_days=1.0, max_bytes_of_cases=1)).due()
        == []
    )
    assert retention_of(service_data, audit, clock, Policy()).due() == []


def test_an_item_used_between_the_search_and_the_removal_stays(
    service_data: Kept, audit: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    case, plan_case = service_data.add_case("a"), service_data.add_case("b")
    plan = service_data.add_plan("p", plan_case)
    set_age(service_data, 400.0, case, plan_case, plan)
    retention_run = retention_of(service_data, audit, clock, Policy(keep_cases_days=1.0, keep_plans_days=1.0))
    due_items = retention_run.due()
    assert len(due_items) == 3
    monkeypatch.setattr(retention_run, "due", lambda: due_items)
    service_data.order("again", case)
    set_age(service_data, 0.0, plan)
    removed, _ = retention_run.remove()
    assert removed == [] and audit_lines(audit) == []
    assert len(service_data.files()) == 6


def test_a_repeated_request_counts_as_a_use_without_a_job(
    service_data: Kept, audit: Path, clock: list[float]
) -> None:
    """The same request makes the same plan without a new row, and jobs are deleted."""
    case, second_case, third_case = (
        service_data.add_case("a"),
        service_data.add_case("b"),
        service_data.add_case("c"),
    )
    plan, reused_plan, old_plan = (
        service_data.add_plan("p", case),
        service_data.add_plan("q", case),
        service_data.add_plan("r", second_case),
    )
    set_age(service_data, 400.0, case, second_case, third_case, plan, reused_plan, old_plan)
    service_data.database.write(lambda c: c.execute(delete(jobs)))
    clock[0] = time.time()
    set_age(
        service_data,
        400.0 + (NOW_S - clock[0]) / DAY_S,
        case,
        second_case,
        third_case,
        plan,
        reused_plan,
        old_plan,
    )
    # The first plan is made again, the second one evaluated, and the files of the third case uploaded again.
    service_data.add_plan("p", case)
    service_data.job_table.accept(NewJob("evaluate", "ann", case, ResultKind.EVALUATION, "{}", reused_plan))
    service_data.job_table.cancel("evaluate")
    assert service_data.library.grant_case("ann", third_case) is not None
    service_data.database.write(lambda c: c.execute(delete(jobs)))
    due_items = retention_of(
        service_data, audit, clock, Policy(keep_plans_days=365.0, keep_cases_days=365.0)
    ).due()
    assert [(item.kind, item.id) for item in due_items] == [("plans", old_plan), (CASE, second_case)]


def test_the_migration_derives_the_last_use_from_jobs(
    database_url: str, open_database: Callable[[str, float], Database]
) -> None:
    database = open_database(database_url, 30.0)
    rows = [("ann", CASE, "c"), ("ann", "plans", "p"), ("ann", "plans", "q"), ("ben", "plans", "p")]
    # A case removed, and uploaded again after its job.
    rows.append(("ann", CASE, "again"))

    def create_version_3(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        insert_holding = (
            "INSERT INTO holdings (owner, kind, id, case_id, created_s) VALUES (:o, :k, :i, 'c', :at)"
        )
        for owner, kind, id in rows:
            at_s = 9.0 if id == "again" else 1.5
            connection.execute(text(insert_holding), {"o": owner, "k": kind, "i": id, "at": at_s})
        insert_job = (
            "INSERT INTO jobs (id, owner, case_id, kind, asked, state, attempt, losses, submission, fraction,"
            " last_event, created_s, ended_s, result_id)"
            " VALUES (:i, 'ann', :c, 'plans', '{}', 'done', 1, 0, 0, 1.0, 1, :at, :end, :made)"
        )
        job_rows = [("a", "c", 2.0, 3.0, "p"), ("b", "c", 4.0, None, None), ("d", "again", 5.0, 6.0, None)]
        for id, case, at_s, end_s, result_id in job_rows:
            values = {"i": id, "c": case, "at": at_s, "end": end_s, "made": result_id}
            connection.execute(text(insert_job), values)

    database.write(create_version_3)
    migrate(database)
    last_uses = [database.read(lambda c, row=row: last_used_s(c, *row)) for row in rows]
    assert last_uses == [4.0, 3.0, 1.5, 1.5, 9.0]


def test_a_removal_takes_no_longer_with_more_rows(
    service_data: Kept, audit: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests wait for a removal. Measured in hundreds of steps of SQLite's virtual machine."""
    steps = [0]

    def count_steps(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.set_progress_handler(lambda: steps.append(steps.pop() + 1), 100)

    event.listen(service_data.database.engine, "begin", count_steps)

    def steps_of_removal(name: str) -> int:
        case = service_data.add_case(name)
        ids = case, service_data.add_plan(name, case)
        set_age(service_data, 400.0, *ids)
        retention_run = retention_of(
            service_data, audit, clock, Policy(keep_cases_days=1.0, keep_plans_days=1.0)
        )
        due_items = [item for item in retention_run.due() if item.id in ids]
        monkeypatch.setattr(retention_run, "due", lambda: due_items)
        steps[0] = 0
        assert retention_run.remove() == (due_items, False) and len(due_items) == 2
        return steps[0]

    steps_of_few = steps_of_removal("first")
    row = {"owner": "ann", "created_s": NOW_S}
    other_ids = [(f"{n:064x}", f"{n % 50:064x}") for n in range(3000)]
    plans = [row | {"kind": "plans", "id": id, "case_id": case_id} for id, case_id in other_ids]
    service_data.database.write(lambda c: c.execute(holdings.insert(), plans))
    assert steps_of_removal("second") <= 2 * steps_of_few + 10


def test_items_that_cannot_be_removed_do_not_block_later_ones(
    service_data: Kept, audit: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [service_data.add_case(f"n{n}") for n in range(4)]
    set_age(service_data, 400.0, *ids)
    retention_run = retention_of(service_data, audit, clock, Policy(keep_cases_days=1.0))
    due_items = retention_run.due()
    monkeypatch.setattr(retention_run, "due", lambda: due_items)
    set_age(service_data, 0.0, *(item.id for item in due_items[:2]))
    assert retention_run.remove(most=1) == ([due_items[2]], True)
    assert retention_run.remove(most=1) == ([due_items[3]], False)


def test_nothing_is_removed_while_no_audit_line_can_be_written(
    service_data: Kept, tmp_path: Path, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    set_age(service_data, 400.0, *(service_data.add_case(f"n{n}") for n in range(3)))
    policy = Policy(keep_cases_days=1.0)
    handler = audit_to(Path("/dev/full"))
    try:
        retention_run = retention_of(service_data, tmp_path / "audit.jsonl", clock, policy)
        for _ in range(3):
            with pytest.raises(OSError, match="No space"):
                retention_run.remove()
        # The failure is logged, and the number of waiting lines does not grow with each attempt.
        rounds = rounds_of(service_data, tmp_path / "audit.jsonl", clock, policy)
        rounds.look()
        clock[0] += GRACE_S
        rounds._look_in_time()
        assert "Retention waits: [Errno 28]" in caplog.text
        assert handler.waiting == 1 and len(service_data.files()) == 6
    finally:
        AUDIT.removeHandler(handler)
        handler.close()


def test_a_round_is_bounded_and_the_next_one_continues(
    service_data: Kept, audit: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [service_data.add_case(f"n{n}") for n in range(5)]
    set_age(service_data, 400.0, *ids)
    retention_run = retention_of(service_data, audit, clock, Policy(keep_cases_days=1.0))
    assert [len(retention_run.remove(most=2)[0]) for _ in range(4)] == [2, 2, 1, 0]
    assert MOST_AT_ONCE >= 2 and service_data.files() == {}


def test_a_job_whose_key_is_remembered_is_not_forgotten(
    service_data: Kept, audit: Path, clock: list[float]
) -> None:
    case = service_data.add_case("a")
    service_data.order("keyed", case)
    service_data.job_table.cancel("keyed")
    set_age(service_data, 400.0, case)
    assert retention_of(service_data, audit, clock, Policy(keep_jobs_days=1.0)).due() == []


def test_rotated_logs_are_removed_by_age_and_by_size(
    service_data: Kept, audit: Path, clock: list[float]
) -> None:
    stamps = ("20330101T000000.000Z", "20330401T000000.000Z", "20330501T000000.000Z", "20330517T000000.000Z")
    for stamp in stamps:
        audit.with_name(f"audit-{stamp}.jsonl").write_bytes(b"x" * 100)
    audit.with_name("audit.jsonl.1").write_bytes(b"x" * 1000)
    removed, _ = retention_of(
        service_data, audit, clock, Policy(keep_audit_days=100.0, max_bytes_of_audit=250)
    ).remove()
    assert [(item.id, item.setting) for item in removed] == [
        (f"audit-{stamps[0]}.jsonl", "keep_audit_days"),
        (f"audit-{stamps[1]}.jsonl", "max_bytes_of_audit"),
    ]
    assert [item.path.name for item in rotated_files(audit)] == [
        f"audit-{stamp}.jsonl" for stamp in stamps[2:]
    ]
    assert audit.with_name("audit.jsonl.1").exists() and len(audit_lines(audit)) == 2


# When it runs


def rounds_of(service_data: Kept, audit: Path, clock: list[float], policy: Policy) -> RetentionRounds:
    """Retention rounds as a server creates them at its start."""
    rounds = RetentionRounds(retention_of(service_data, audit, clock, policy), policy, service_data.data_dir)
    rounds._grace._clock_s = lambda: clock[0]
    return rounds


def test_nothing_is_removed_for_a_day_after_a_change_or_a_clock_jump(
    service_data: Kept, audit: Path, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    ids = [service_data.add_case(f"n{n}") for n in range(3)]
    set_age(service_data, 400.0, *ids)
    policy = Policy(keep_cases_days=300.0)

    def cases_left_after(count: int, policy: Policy = policy, restarts: bool = False) -> int:
        """Run rounds for so many hours; returns the number of cases left."""
        rounds = rounds_of(service_data, audit, clock, policy)
        for _ in range(count):
            clock[0] += 3600.0
            rounds = rounds_of(service_data, audit, clock, policy) if restarts else rounds
            rounds.look()
        return sum(1 for place in service_data.files() if place.endswith("case.json"))

    assert cases_left_after(20) == 3 and "3 things go in" in caplog.text
    # A restart is not a change.
    assert cases_left_after(4, restarts=True) == 3
    # A different number of days is a change; so is a year that passed between two rounds.
    assert cases_left_after(20, Policy(keep_cases_days=200.0)) == 3
    assert cases_left_after(20) == 3
    clock[0] += 400.0 * DAY_S
    assert cases_left_after(23) == 3
    clock[0] -= 1000.0 * DAY_S
    assert cases_left_after(20) == 3
    clock[0] += 1000.0 * DAY_S
    assert cases_left_after(1) == 3
    assert cases_left_after(int(GRACE_S / 3600.0)) == 0


def test_the_grace_period_passes_even_if_it_cannot_be_recorded(
    tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk, where removals make room."""
    grace = GracePeriod(tmp_path, Policy(keep_cases_days=1.0), lambda: clock[0])
    assert grace.left_s() == GRACE_S
    clock[0] += GRACE_S

    def raise_disk_full(*args: object, **keywords: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("service.maintenance.retention.grace.write_atomically", raise_disk_full)
        left_s = []
        for _ in range(72):
            clock[0] += 3600.0
            left_s.append(grace.left_s())
    # The first two calls are an hour more than a day apart.
    assert left_s[:2] == [GRACE_S, GRACE_S - 3600.0] and left_s[24:] == [0.0] * 48
    clock[0] += 3600.0
    assert grace.left_s() == 0.0
    assert json.loads((tmp_path / "retention.json").read_text())["last_s"] == clock[0]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_rounds_continue_after_a_fault(
    service_data: Kept, audit: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.maintenance.retention.rounds.PAUSE_S", 0.01)
    monkeypatch.setattr("service.maintenance.retention.rounds.EVERY_S", 0.01)
    rounds = rounds_of(service_data, audit, clock, Policy(keep_cases_days=1.0))
    looks: list[int] = []

    def look() -> bool:
        looks.append(1)
        if len(looks) == 1:
            raise KeyError("a fault")
        return False

    monkeypatch.setattr(rounds, "look", look)
    rounds.start()
    eventually(lambda: len(looks) > 2)
    rounds.close()


def test_shutdown_does_not_wait_for_a_disk_that_hangs(
    service_data: Kept, audit: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.host.periodic_thread.END_S", 0.1)
    rounds = rounds_of(service_data, audit, clock, Policy(keep_cases_days=1.0))
    may_continue, has_begun = threading.Event(), threading.Event()

    def look() -> bool:
        has_begun.set()
        return may_continue.wait(60.0)

    monkeypatch.setattr(rounds, "look", look)
    rounds.start()
    has_begun.wait()
    rounds.close()
    assert not may_continue.is_set()
    may_continue.set()


def test_only_one_server_of_a_folder_runs_retention(
    service_data: Kept, audit: Path, clock: list[float]
) -> None:
    set_age(service_data, 400.0, service_data.add_case("a"))
    policy = Policy(keep_cases_days=1.0)
    rounds = rounds_of(service_data, audit, clock, policy)
    with (service_data.data_dir / "retention.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not rounds.look()
        assert not (service_data.data_dir / "retention.json").exists()
    rounds.look()
    assert (service_data.data_dir / "retention.json").exists()


def test_no_policy_means_no_rounds(service_data: Kept, audit: Path, clock: list[float]) -> None:
    assert Policy().is_empty and not Policy(max_bytes_of_plans=1).is_empty
    rounds = rounds_of(service_data, audit, clock, Policy())
    rounds.start()
    assert rounds._periodic_thread._thread is None
    rounds.close()


def test_every_field_of_a_policy_is_a_setting_with_default_none() -> None:
    for field in fields(Policy):
        assert Settings.model_fields[field.name].default is None
