"""What an owner keeps, as a running sum: equal to a recount after anything, and cheap whatever he keeps."""

import contextlib
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import plan_work as fakes
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_calls import client_of, upload
from sqlalchemy import Connection, delete, event, func, select

from service.jobs.errors import InputsRemoved
from service.jobs.job_table import JobTable
from service.maintenance.store_rebuild import rebuild
from service.operations.case_files import StoredFile, content_of, identify
from service.operations.job_tasks import Work
from service.problems import Report
from service.schemas.result_kinds import CASE, ResultKind
from service.schemas.result_text import JobResult
from service.settings import Settings
from service.storage.database.connection import Database
from service.storage.database.migrate import migrate
from service.storage.database.tables import holdings, jobs, owners, sizes
from service.storage.errors import QuotaExceeded, StorageError
from service.storage.file_store import Store
from service.storage.job import NewJob
from service.storage.kept_bytes import add, kept_bytes, note_size, recount, set_right
from service.storage.library import Library
from service.storage.ownership import grant, revoke
from service.storage.quota import Quota
from service.web.app import create_app
from service.web.server import serve_in_background

MANY = 10_000
"""Cases of one owner."""

CONTENTS = [content_of(None, [StoredFile("file", "file/a.nii", f"{n:064x}")], False) for n in range(3)]
CASES = [identify(content) for content in CONTENTS]
RESULTS = [f"{n:064x}" for n in range(100, 103)]
OWNERS = ("ann", "ben")

ROOM = 5_000
"""A case and its record take some 1,000 bytes, a result 100 to 300: some of what is asked for is refused."""

Parts = tuple[Store, Library, Database]


@pytest.fixture
def parts(tmp_path: Path, database_url: str, open_database: Callable[[str, float], Database]) -> Parts:
    database = open_database(database_url, 5.0)
    migrate(database)
    store = Store(tmp_path / "data")
    return store, Library(database, store, Quota(ROOM)), database


def brought(store: Store, library: Library, owner: str, number: int) -> None:
    """An upload: of what is there, or of files."""
    if library.grant_case(owner, CASES[number]) is not None:
        return
    with store.aside() as folder:
        (folder / "file").mkdir()
        (folder / "file" / "a.nii").write_bytes(b"a" * (300 + 100 * number))
        library.add_case(owner, folder, {"id": CASES[number]} | CONTENTS[number])


def finished_job(parts: Parts, owner: str, case: int, result: int, access: bytes | None) -> None:
    """A job from its order to its end."""
    store, _, database = parts
    job_table = JobTable(database, 10, 10, 10)
    number = database.read(lambda c: c.scalar(select(func.count()).select_from(sizes)))
    job_id = f"{owner}{case}{result}{number}{access is None}"
    quota = Quota(ROOM)
    job_table.accept(
        NewJob(job_id, owner, CASES[case], ResultKind.PLAN, "{}", None),
        lambda c: quota.refuse_more(c, owner, 1),
    )
    job = job_table.begin(job_id, 3, Report("failed", ""))
    if job is not None:
        plan = JobResult(ResultKind.PLAN, RESULTS[result], b"p" * (100 + result), access=access)
        job_result = JobResult(ResultKind.REPLAN, RESULTS[result], b"r" * (200 + result), plan=plan)
        assert job_table.succeed(job, job_result, store.keep)


def files_of(database: Database, store: Store, owner: str) -> int:
    """What `owner` keeps, by looking at every file."""

    def ask(connection: Connection) -> int:
        rows = connection.execute(
            select(holdings.c.kind, holdings.c.id, holdings.c.case_id).where(holdings.c.owner == owner)
        ).all()
        needed = {(kind, id) for kind, id, _ in rows} | {(CASE, case) for *_, case in rows}
        return sum(
            store.case_bytes(id) if kind == CASE else store.result_bytes(ResultKind(kind), id)
            for kind, id in needed
        )

    return database.read(ask)


Step = tuple[str, str, int, int, bool]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["bring", "bring", "make", "make", "remove", "fail", "update_sizes"]),
        st.sampled_from(OWNERS),
        st.integers(0, 2),
        st.integers(0, 2),
        st.booleans(),
    ),
    max_size=15,
)


def test_running_sums_are_a_recount_and_what_the_files_take(
    tmp_path: Path, open_database: Callable[[str, float], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is tried many times need not survive a power cut.
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    database = open_database(f"sqlite:///{tmp_path / 'records.sqlite'}", 5.0)
    event.listen(database.engine, "connect", lambda raw, record: raw.execute("PRAGMA synchronous = OFF"))
    migrate(database)

    def forget(connection: Connection) -> None:
        for table in (holdings, sizes, owners, jobs):
            connection.execute(delete(table))

    @settings(max_examples=30)
    @given(STEPS)
    def hold_true(steps: list[Step]) -> None:
        database.write(forget)
        shutil.rmtree(tmp_path / "data", ignore_errors=True)
        store = Store(tmp_path / "data")
        parts = store, Library(database, store, Quota(ROOM)), database
        for step in steps:
            with contextlib.suppress(StorageError, InputsRemoved, ZeroDivisionError):
                take(parts, *step)
            for owner in OWNERS:
                byte_count = parts[1].kept_bytes(owner)
                assert byte_count == database.read(recount).get(owner, 0) == files_of(database, store, owner)

    hold_true()


def take(parts: Parts, what: str, owner: str, case: int, result: int, flag: bool) -> None:
    """One step. Raises StorageError or InputsRemoved where it is refused, ZeroDivisionError where it fails at
    its end."""
    store, library, database = parts
    match what:
        case "bring":
            brought(store, library, owner, case)
        case "make":
            finished_job(parts, owner, case, result, b"m" * 50 if flag else None)
        case "fail":
            database.write(lambda c: _fail(c, owner, CASES[case]))
        case "update_sizes":
            library.update_sizes()
        case _ if flag:
            library.remove_case(owner, CASES[case])
        case _:
            library.remove_result(owner, (ResultKind.PLAN, ResultKind.REPLAN)[case % 2], RESULTS[result])


def _fail(connection: Connection, owner: str, case_id: str) -> None:
    note_size(connection, CASE, case_id, 7)
    grant(connection, owner, CASE, case_id, case_id)
    raise ZeroDivisionError


def test_what_is_held_is_counted_once(parts: Parts) -> None:
    store, library, database = parts
    brought(store, library, "ann", 0)
    size = store.case_bytes(CASES[0])
    assert library.kept_bytes("ann") == size and library.kept_bytes("ben") == 0
    # A case counts once, whatever was made from it, and for who holds the plan alone as well.
    finished_job(parts, "ann", 0, 0, None)
    database.write(lambda c: grant(c, "ben", ResultKind.PLAN, RESULTS[0], CASES[0]))
    assert library.kept_bytes("ann") == size + 300 and library.kept_bytes("ben") == size + 100
    # The map of a plan that was made without one before counts for all who hold it.
    finished_job(parts, "ann", 0, 0, b"m" * 50)
    assert library.kept_bytes("ann") == size + 350 and library.kept_bytes("ben") == size + 150
    left, quota = ROOM - size - 350, Quota(ROOM)
    database.read(lambda c: quota.refuse_more(c, "ann", left))
    with pytest.raises(QuotaExceeded):
        database.read(lambda c: quota.refuse_more(c, "ann", left + 1))
    database.write(lambda c: revoke(c, "ben", ResultKind.PLAN, RESULTS[0]))
    assert library.kept_bytes("ben") == 0


def test_a_case_that_is_kept_for_its_plan_needs_no_more_room(parts: Parts) -> None:
    store, library, database = parts
    content = content_of("thorax", [], False)
    digest = identify(content)
    with store.aside() as folder:
        library.add_case("ann", folder, {"id": digest} | content)
    # The files of this one are not those that it names.
    brought(store, library, "ann", 0)
    for number, case_id in enumerate((digest, CASES[0])):
        database.write(lambda c, n=number, id=case_id: grant(c, "ann", ResultKind.PLAN, RESULTS[n], id))  # type: ignore[misc]
        library.remove_case("ann", case_id)
    before = library.kept_bytes("ann")
    full = Library(database, store, Quota(before))
    assert full.grant_case("ann", digest) is not None
    assert full.grant_case("ann", CASES[0]) is None
    brought(store, full, "ann", 0)
    assert full.kept_bytes("ann") == before == files_of(database, store, "ann")
    with pytest.raises(QuotaExceeded):
        brought(store, full, "ann", 1)


def test_sizes_of_what_an_earlier_version_kept_are_found_out_at_a_start(parts: Parts) -> None:
    store, library, database = parts
    for owner in OWNERS:
        brought(store, library, owner, 0)
    finished_job(parts, "ann", 0, 1, b"m")
    before = {owner: library.kept_bytes(owner) for owner in OWNERS}
    gone = identify(content_of("thorax", [], False))

    def forget(connection: Connection) -> None:
        # As the migration leaves it: rows, and nothing of sizes. One is of a case whose files are lost.
        connection.execute(holdings.insert(), row(gone))
        for table in (sizes, owners):
            connection.execute(delete(table))

    database.write(forget)
    assert library.kept_bytes("ann") == 0
    library.update_sizes()
    assert {owner: library.kept_bytes(owner) for owner in OWNERS} == before
    assert database.read(set_right) == 0


def test_rows_that_are_made_again_from_files_are_counted(parts: Parts) -> None:
    store, library, database = parts
    content = content_of("thorax", [], False)
    case_id = identify(content)
    with store.aside() as folder:
        store.add_case(folder, {"id": case_id} | content)
    assert rebuild(store, database, "ann", add=False).left_out == {}
    assert library.kept_bytes("ann") == store.case_bytes(case_id) > 0


def test_a_sum_that_went_wrong_is_set_right_at_a_start(parts: Parts) -> None:
    store, library, database = parts
    brought(store, library, "ann", 0)
    right = library.kept_bytes("ann")
    database.write(lambda c: add(c, "ann", [(CASE, CASES[0])]))
    database.write(lambda c: add(c, "ben", [(CASE, CASES[0])]))
    assert library.kept_bytes("ann") == 2 * right
    library.update_sizes()
    assert library.kept_bytes("ann") == right and library.kept_bytes("ben") == 0


# With ten thousand cases


def row(case_id: str, owner: str = "local") -> dict[str, object]:
    return {"owner": owner, "kind": CASE, "id": case_id, "case_id": case_id, "created_s": 1.0}


def many(connection: Connection, count: int, owner: str = "local") -> None:
    """Rows of cases, a byte each, without any file: whoever looked for one would count it as nothing."""
    ids = [f"{n:064x}" for n in range(10**6, 10**6 + count)]
    connection.execute(holdings.insert(), [row(id, owner) for id in ids])
    connection.execute(sizes.insert(), [{"kind": CASE, "id": id, "bytes": 1} for id in ids])
    set_right(connection)


def statements(database: Database, run: Callable[[], object]) -> Counter[str]:
    """What the database is asked meanwhile."""
    counts: Counter[str] = Counter()

    def note(connection: object, cursor: object, statement: str, *more: object) -> None:
        counts[statement] += 1

    event.listen(database.engine, "before_cursor_execute", note)
    run()
    event.remove(database.engine, "before_cursor_execute", note)
    return counts


def test_orders_and_uploads_cost_the_same_with_ten_thousand_cases(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, library, database = parts
    library = Library(database, store, Quota(1 << 40))
    job_table, quota, looked_at = JobTable(database, 10**6, 10**6, 10), Quota(1 << 40), []
    weighed = Store.case_bytes

    def case_bytes(self: Store, case_id: str) -> int:
        looked_at.append(case_id)
        return weighed(self, case_id)

    monkeypatch.setattr(Store, "case_bytes", case_bytes)

    def ask(number: int) -> list[Counter[str]]:
        def order() -> None:
            new = NewJob(f"j{number}", "local", CASES[number], ResultKind.PLAN, "{}", None)
            job_table.accept(new, lambda c: quota.refuse_more(c, "local", 1))

        uploaded = statements(database, lambda: brought(store, library, "local", number))
        return [
            uploaded,
            statements(database, lambda: library.kept_bytes("local")),
            statements(database, order),
        ]

    # Of an owner who kept something before.
    ask(2)
    first = ask(0)
    database.write(lambda c: many(c, MANY))
    # How many, and which: none has the ten thousand ids in it.
    assert ask(1) == first and all(sum(counts.values()) < 30 for counts in first)
    assert set(looked_at) == set(CASES)
    own = sum(store.case_bytes(case) for case in CASES)
    assert database.read(lambda c: kept_bytes(c, "local")) == MANY + own


def ordered_at_once(folder: Path, clients: int, orders: int) -> Counter[int]:
    """What clients that order at once are answered, of an owner with ten thousand cases."""
    chosen = Settings(data_dir=folder / "data", max_jobs=10**5, max_jobs_of_owner=10**5)
    Store(chosen.data_dir)
    database = Database(chosen.database, 5.0)
    migrate(database)
    database.write(lambda c: many(c, MANY))
    database.close()
    answers: list[int] = []
    with serve_in_background(create_app(chosen, Work(fakes.describe, fakes.plan))) as base:
        with client_of(base, None) as client:
            case = client.post("/v1/cases", **upload(("file", "a.nii", b"a"))).headers["location"]

        def order(seed: int) -> None:
            with client_of(base, None) as client:
                for number in range(orders):
                    body = {"random_seed": 10_000 + seed * orders + number}
                    answers.append(client.post(f"{case}/plans", json=body).status_code)

        threads = [threading.Thread(target=order, args=(seed,)) for seed in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return Counter(answers)


@pytest.mark.long
def test_eight_clients_ordering_with_ten_thousand_cases_are_all_accepted(tmp_path: Path) -> None:
    assert ordered_at_once(tmp_path, 8, 15) == {202: 120}


@pytest.mark.long
def test_two_thousand_orders_at_once_with_ten_thousand_cases_are_all_accepted(
    tmp_path: Path,
) -> None:
    assert ordered_at_once(tmp_path, 8, 250) == {202: 2000}
