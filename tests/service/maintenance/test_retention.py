"""What goes after a time or beyond a size: what it must leave, what it must tell, and when it must wait."""

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

# Which are due, by rows alone

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
works = st.sets(
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


def left(held: list[HoldingRow], due_items: list[Due]) -> list[HoldingRow]:
    gone = {(one.owner, one.kind, one.id) for one in due_items}
    return [row for row in held if (row.owner, row.kind, row.id) not in gone]


@given(rows, works, policies)
def test_what_is_needed_or_used_never_goes(
    held: list[HoldingRow], working: set[ItemKey], policy: Policy
) -> None:
    due_items = due(held, working, size, policy, NOW_S)
    kept = left(held, due_items)
    for one in due_items:
        assert (one.owner, one.kind, one.id) not in working
        if one.kind == CASE:
            assert not any(
                row.owner == one.owner and row.case_id == one.id and row.kind != CASE for row in kept
            )
        uses = [r.used_s for r in held if (r.owner, r.kind, r.id) == (one.owner, one.kind, one.id)]
        assert one.last_used_s == max(uses)
        if one.setting.startswith("keep"):
            assert one.last_used_s < NOW_S - getattr(policy, one.setting) * DAY_S


@given(rows, works, policies)
def test_nothing_goes_twice_and_nothing_more_is_due_afterwards(
    held: list[HoldingRow], working: set[ItemKey], policy: Policy
) -> None:
    due_items = due(held, working, size, policy, NOW_S)
    assert len({(one.owner, one.kind, one.id) for one in due_items}) == len(due_items)
    assert due(left(held, due_items), working, size, policy, NOW_S) == []


@given(rows, works)
def test_without_settings_nothing_goes(held: list[HoldingRow], working: set[ItemKey]) -> None:
    assert due(held, working, size, Policy(), NOW_S) == []


@given(rows, st.integers(0, 60))
def test_files_go_until_the_bound_is_kept_the_longest_unused_first(held: list[HoldingRow], most: int) -> None:
    results_of = [row for row in held if row.kind != CASE]
    due_items = due(held, set(), size, Policy(max_bytes_of_plans=most), NOW_S)
    files = {(row.kind, row.id) for row in left(results_of, due_items)}
    assert sum(size(*file) for file in files) <= most

    def last_s(file: tuple[str, str]) -> float:
        return max(row.used_s for row in results_of if (row.kind, row.id) == file)

    gone = {(one.kind, one.id) for one in due_items}
    assert all(last_s(a) <= last_s(b) for a in gone for b in files)
    # No more of them than that.
    if gone:
        assert sum(size(*f) for f in files) + size(*max(gone, key=last_s)) > most


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
def kept(tmp_path: Path, open_database: Callable[[str, float], Database]) -> Kept:
    url = f"sqlite:///{tmp_path / 'records.sqlite'}"
    return Kept(tmp_path / "data", url, open_database(url, 5.0))


def aged(kept: Kept, days: float, *ids: str) -> None:
    """Have rows with these ids be so old, and their jobs, and the last use of them."""
    at_s = NOW_S - days * DAY_S
    statement = update(holdings).where(holdings.c.id.in_(ids)).values(created_s=at_s, used_s=at_s)
    about = jobs.c.case_id.in_(ids) | jobs.c.result_id.in_(ids)
    ended = update(jobs).where(about, jobs.c.state.not_in(OPEN)).values(created_s=at_s, ended_s=at_s)
    for change in (statement, ended):
        kept.database.write(lambda c, change=change: c.execute(change))  # type: ignore[misc]


def retention(kept: Kept, audit: Path, clock: list[float], policy: Policy) -> Retention:
    return Retention(kept.database, kept.library, kept.job_table, audit, policy, lambda: clock[0])


def lines(audit: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in audit.read_text(encoding="utf-8").splitlines()]


def test_what_is_old_goes_with_its_files_and_a_line_each(kept: Kept, audit: Path, clock: list[float]) -> None:
    case, other = kept.add_case("old"), kept.add_case("used")
    plan, young = kept.add_plan("old", case), kept.add_plan("young", other)
    aged(kept, 40.0, case, plan, other)
    aged(kept, 10.0, young)
    works = retention(
        kept, audit, clock, Policy(keep_plans_days=30.0, keep_cases_days=30.0, keep_jobs_days=30.0)
    )
    gone, is_more = works.remove()
    assert not is_more
    assert [(one.kind, one.id) for one in gone] == [("plans", plan), (CASE, case), ("jobs", f"job{plan[:8]}")]
    assert set(kept.files()) == {
        f"cases/{other}/case.json",
        f"cases/{other}/file/a.nii",
        f"plans/{young}.json",
        f"access/{young}.json",
    }
    assert (
        not (kept.data_dir / "cases" / case).exists()
        and not (kept.data_dir / "plans" / f"{plan}.json").exists()
    )
    noted = {(line["message"], line["owner"], line["setting"]) for line in lines(audit)}
    assert noted == {
        (f"RETENTION plans/{plan}", "ann", "keep_plans_days"),
        (f"RETENTION cases/{case}", "ann", "keep_cases_days"),
        (f"RETENTION jobs/job{plan[:8]}", "ann", "keep_jobs_days"),
    }
    assert works.due() == []


def test_a_case_stays_for_its_results_and_its_open_jobs(kept: Kept, audit: Path, clock: list[float]) -> None:
    planned, open_case = kept.add_case("planned"), kept.add_case("open")
    plan = kept.add_plan("a", planned)
    kept.order("open", open_case)
    aged(kept, 400.0, planned, open_case, plan)
    assert retention(kept, audit, clock, Policy(keep_cases_days=1.0, max_bytes_of_cases=1)).due() == []
    assert retention(kept, audit, clock, Policy()).due() == []


def test_what_is_used_between_the_look_and_the_removal_stays(
    kept: Kept, audit: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    case, plan_case = kept.add_case("a"), kept.add_case("b")
    plan = kept.add_plan("p", plan_case)
    aged(kept, 400.0, case, plan_case, plan)
    works = retention(kept, audit, clock, Policy(keep_cases_days=1.0, keep_plans_days=1.0))
    due_items = works.due()
    assert len(due_items) == 3
    monkeypatch.setattr(works, "due", lambda: due_items)
    kept.order("again", case)
    aged(kept, 0.0, plan)
    gone, _ = works.remove()
    assert gone == [] and lines(audit) == []
    assert len(kept.files()) == 6


def test_a_repeated_request_counts_as_a_use_without_a_job(
    kept: Kept, audit: Path, clock: list[float]
) -> None:
    """The same request makes the same plan, in no row of its own; and jobs are forgotten."""
    case, other, third = kept.add_case("a"), kept.add_case("b"), kept.add_case("c")
    plan, reordered, old = kept.add_plan("p", case), kept.add_plan("q", case), kept.add_plan("r", other)
    aged(kept, 400.0, case, other, third, plan, reordered, old)
    kept.database.write(lambda c: c.execute(delete(jobs)))
    clock[0] = time.time()
    aged(kept, 400.0 + (NOW_S - clock[0]) / DAY_S, case, other, third, plan, reordered, old)
    # One is made again, work is ordered on the second, and of the third case the files are sent again.
    kept.add_plan("p", case)
    kept.job_table.accept(NewJob("evaluate", "ann", case, ResultKind.EVALUATION, "{}", reordered))
    kept.job_table.cancel("evaluate")
    assert kept.library.grant_case("ann", third) is not None
    kept.database.write(lambda c: c.execute(delete(jobs)))
    due_items = retention(kept, audit, clock, Policy(keep_plans_days=365.0, keep_cases_days=365.0)).due()
    assert [(one.kind, one.id) for one in due_items] == [("plans", old), (CASE, other)]


def test_of_rows_of_before_jobs_tell_the_last_use(
    database_url: str, open_database: Callable[[str, float], Database]
) -> None:
    database = open_database(database_url, 30.0)
    rows = [("ann", CASE, "c"), ("ann", "plans", "p"), ("ann", "plans", "q"), ("ben", "plans", "p")]
    # Removed, and uploaded again after its job.
    rows.append(("ann", CASE, "again"))

    def third(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        held = "INSERT INTO holdings (owner, kind, id, case_id, created_s) VALUES (:o, :k, :i, 'c', :at)"
        for owner, kind, id in rows:
            at_s = 9.0 if id == "again" else 1.5
            connection.execute(text(held), {"o": owner, "k": kind, "i": id, "at": at_s})
        job = (
            "INSERT INTO jobs (id, owner, case_id, kind, asked, state, attempt, losses, submission, fraction,"
            " last_event, created_s, ended_s, result_id)"
            " VALUES (:i, 'ann', :c, 'plans', '{}', 'done', 1, 0, 0, 1.0, 1, :at, :end, :made)"
        )
        worked = [("a", "c", 2.0, 3.0, "p"), ("b", "c", 4.0, None, None), ("d", "again", 5.0, 6.0, None)]
        for id, case, at_s, end_s, result_id in worked:
            values = {"i": id, "c": case, "at": at_s, "end": end_s, "made": result_id}
            connection.execute(text(job), values)

    database.write(third)
    migrate(database)
    last_uses = [database.read(lambda c, row=row: last_used_s(c, *row)) for row in rows]
    assert last_uses == [4.0, 3.0, 1.5, 1.5, 9.0]


def test_a_removal_takes_no_longer_where_more_is_held(
    kept: Kept, audit: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders wait for it. By the steps of SQLite's machine, in hundreds."""
    steps = [0]

    def count(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.set_progress_handler(lambda: steps.append(steps.pop() + 1), 100)

    event.listen(kept.database.engine, "begin", count)

    def taken(name: str) -> int:
        case = kept.add_case(name)
        ids = case, kept.add_plan(name, case)
        aged(kept, 400.0, *ids)
        works = retention(kept, audit, clock, Policy(keep_cases_days=1.0, keep_plans_days=1.0))
        due_items = [one for one in works.due() if one.id in ids]
        monkeypatch.setattr(works, "due", lambda: due_items)
        steps[0] = 0
        assert works.remove() == (due_items, False) and len(due_items) == 2
        return steps[0]

    few = taken("first")
    row = {"owner": "ann", "created_s": NOW_S}
    many = [(f"{n:064x}", f"{n % 50:064x}") for n in range(3000)]
    plans = [row | {"kind": "plans", "id": id, "case_id": case_id} for id, case_id in many]
    kept.database.write(lambda c: c.execute(holdings.insert(), plans))
    assert taken("second") <= 2 * few + 10


def test_what_cannot_go_hides_nothing_behind_it(
    kept: Kept, audit: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [kept.add_case(f"n{n}") for n in range(4)]
    aged(kept, 400.0, *ids)
    works = retention(kept, audit, clock, Policy(keep_cases_days=1.0))
    due_items = works.due()
    monkeypatch.setattr(works, "due", lambda: due_items)
    aged(kept, 0.0, *(one.id for one in due_items[:2]))
    assert works.remove(most=1) == ([due_items[2]], True)
    assert works.remove(most=1) == ([due_items[3]], False)


def test_nothing_goes_where_the_disk_takes_no_line(
    kept: Kept, tmp_path: Path, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    aged(kept, 400.0, *(kept.add_case(f"n{n}") for n in range(3)))
    policy = Policy(keep_cases_days=1.0)
    handler = audit_to(Path("/dev/full"))
    try:
        works = retention(kept, tmp_path / "audit.jsonl", clock, policy)
        for _ in range(3):
            with pytest.raises(OSError, match="No space"):
                works.remove()
        # It is told, and is no idleness; what waits does not grow with each try.
        rounds_of = begun(kept, tmp_path / "audit.jsonl", clock, policy)
        rounds_of.look()
        clock[0] += GRACE_S
        rounds_of._look_in_time()
        assert "Retention waits: [Errno 28]" in caplog.text
        assert handler.waiting == 1 and len(kept.files()) == 6
    finally:
        AUDIT.removeHandler(handler)
        handler.close()


def test_a_round_is_bounded_and_the_next_goes_on(
    kept: Kept, audit: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [kept.add_case(f"n{n}") for n in range(5)]
    aged(kept, 400.0, *ids)
    works = retention(kept, audit, clock, Policy(keep_cases_days=1.0))
    assert [len(works.remove(most=2)[0]) for _ in range(4)] == [2, 2, 1, 0]
    assert MOST_AT_ONCE >= 2 and kept.files() == {}


def test_a_job_whose_key_is_remembered_is_not_forgotten(kept: Kept, audit: Path, clock: list[float]) -> None:
    case = kept.add_case("a")
    kept.order("keyed", case)
    kept.job_table.cancel("keyed")
    aged(kept, 400.0, case)
    assert retention(kept, audit, clock, Policy(keep_jobs_days=1.0)).due() == []


def test_logs_that_were_put_by_go_by_age_and_by_size(kept: Kept, audit: Path, clock: list[float]) -> None:
    stamps = ("20330101T000000.000Z", "20330401T000000.000Z", "20330501T000000.000Z", "20330517T000000.000Z")
    for rfc3339 in stamps:
        audit.with_name(f"audit-{rfc3339}.jsonl").write_bytes(b"x" * 100)
    audit.with_name("audit.jsonl.1").write_bytes(b"x" * 1000)
    gone, _ = retention(kept, audit, clock, Policy(keep_audit_days=100.0, max_bytes_of_audit=250)).remove()
    assert [(one.id, one.setting) for one in gone] == [
        (f"audit-{stamps[0]}.jsonl", "keep_audit_days"),
        (f"audit-{stamps[1]}.jsonl", "max_bytes_of_audit"),
    ]
    assert [one.path.name for one in rotated_files(audit)] == [
        f"audit-{rfc3339}.jsonl" for rfc3339 in stamps[2:]
    ]
    assert audit.with_name("audit.jsonl.1").exists() and len(lines(audit)) == 2


# When


def begun(kept: Kept, audit: Path, clock: list[float], policy: Policy) -> RetentionRounds:
    """As by a server that starts."""
    rounds_of = RetentionRounds(retention(kept, audit, clock, policy), policy, kept.data_dir)
    rounds_of._grace._clock_s = lambda: clock[0]
    return rounds_of


def test_nothing_goes_for_a_day_after_a_change_or_a_jump_of_the_clock(
    kept: Kept, audit: Path, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    ids = [kept.add_case(f"n{n}") for n in range(3)]
    aged(kept, 400.0, *ids)
    policy = Policy(keep_cases_days=300.0)

    def hours(count: int, policy: Policy = policy, restarted: bool = False) -> int:
        """RetentionRounds for so long; how many cases are left."""
        rounds_of = begun(kept, audit, clock, policy)
        for _ in range(count):
            clock[0] += 3600.0
            rounds_of = begun(kept, audit, clock, policy) if restarted else rounds_of
            rounds_of.look()
        return sum(1 for place in kept.files() if place.endswith("case.json"))

    assert hours(20) == 3 and "3 things go in" in caplog.text
    # Restarts are no change.
    assert hours(4, restarted=True) == 3
    # Another number is one; and so is a year that went by between two rounds.
    assert hours(20, Policy(keep_cases_days=200.0)) == 3
    assert hours(20) == 3
    clock[0] += 400.0 * DAY_S
    assert hours(23) == 3
    clock[0] -= 1000.0 * DAY_S
    assert hours(20) == 3
    clock[0] += 1000.0 * DAY_S
    assert hours(1) == 3
    assert hours(int(GRACE_S / 3600.0)) == 0


def test_the_day_goes_by_where_it_cannot_be_noted(
    tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that others have filled: removals make room."""
    grace = GracePeriod(tmp_path, Policy(keep_cases_days=1.0), lambda: clock[0])
    assert grace.left_s() == GRACE_S
    clock[0] += GRACE_S

    def full(*args: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("service.maintenance.retention.grace.write_atomically", full)
        left_s = []
        for _ in range(72):
            clock[0] += 3600.0
            left_s.append(grace.left_s())
    # An hour more than a day went by between the first two.
    assert left_s[:2] == [GRACE_S, GRACE_S - 3600.0] and left_s[24:] == [0.0] * 48
    clock[0] += 3600.0
    assert grace.left_s() == 0.0
    assert json.loads((tmp_path / "retention.json").read_text())["last_s"] == clock[0]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_rounds_go_on_after_a_fault(
    kept: Kept, audit: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.maintenance.retention.rounds.PAUSE_S", 0.01)
    monkeypatch.setattr("service.maintenance.retention.rounds.EVERY_S", 0.01)
    rounds_of = begun(kept, audit, clock, Policy(keep_cases_days=1.0))
    looks: list[int] = []

    def look() -> bool:
        looks.append(1)
        if len(looks) == 1:
            raise KeyError("a fault")
        return False

    monkeypatch.setattr(rounds_of, "look", look)
    rounds_of.start()
    eventually(lambda: len(looks) > 2)
    rounds_of.close()


def test_the_end_does_not_wait_for_a_disk_that_hangs(
    kept: Kept, audit: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.host.periodic_thread.END_S", 0.1)
    rounds_of = begun(kept, audit, clock, Policy(keep_cases_days=1.0))
    hangs, begins = threading.Event(), threading.Event()

    def look() -> bool:
        begins.set()
        return hangs.wait(60.0)

    monkeypatch.setattr(rounds_of, "look", look)
    rounds_of.start()
    begins.wait()
    rounds_of.close()
    assert not hangs.is_set()
    hangs.set()


def test_one_server_of_a_folder_does_it(kept: Kept, audit: Path, clock: list[float]) -> None:
    aged(kept, 400.0, kept.add_case("a"))
    policy = Policy(keep_cases_days=1.0)
    rounds_of = begun(kept, audit, clock, policy)
    with (kept.data_dir / "retention.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not rounds_of.look()
        assert not (kept.data_dir / "retention.json").exists()
    rounds_of.look()
    assert (kept.data_dir / "retention.json").exists()


def test_no_policy_means_no_rounds(kept: Kept, audit: Path, clock: list[float]) -> None:
    assert Policy().is_empty and not Policy(max_bytes_of_plans=1).is_empty
    rounds_of = begun(kept, audit, clock, Policy())
    rounds_of.start()
    assert rounds_of._periodic_thread._thread is None
    rounds_of.close()


def test_every_number_of_a_policy_is_a_setting_which_is_none() -> None:
    for field in fields(Policy):
        assert Settings.model_fields[field.name].default is None
