"""The bytes that an owner keeps, as a running sum: always equal to a recount, and cheap with many cases."""

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

MANY_CASES = 10_000
"""Number of cases of one owner."""

CONTENTS = [content_of(None, [StoredFile("file", "file/a.nii", f"{n:064x}")], False) for n in range(3)]
CASES = [identify(content) for content in CONTENTS]
RESULTS = [f"{n:064x}" for n in range(100, 103)]
OWNERS = ("ann", "ben")

QUOTA_BYTES = 5_000
"""A case and its record take about 1,000 bytes, a result 100 to 300: some of the requests are refused."""

StoreParts = tuple[Store, Library, Database]


@pytest.fixture
def store_parts(
    tmp_path: Path, database_url: str, open_database: Callable[[str, float], Database]
) -> StoreParts:
    database = open_database(database_url, 5.0)
    migrate(database)
    store = Store(tmp_path / "data")
    return store, Library(database, store, Quota(QUOTA_BYTES)), database


def upload_case(store: Store, library: Library, owner: str, number: int) -> None:
    """An upload: of a case that is stored already, or of files."""
    if library.grant_case(owner, CASES[number]) is not None:
        return
    with store.aside() as folder:
        (folder / "file").mkdir()
        (folder / "file" / "a.nii").write_bytes(b"a" * (300 + 100 * number))
        library.add_case(owner, folder, {"id": CASES[number]} | CONTENTS[number])


def finished_job(store_parts: StoreParts, owner: str, case: int, result: int, access: bytes | None) -> None:
    """A job from acceptance to its end."""
    store, _, database = store_parts
    job_table = JobTable(database, 10, 10, 10)
    number = database.read(lambda c: c.scalar(select(func.count()).select_from(sizes)))
    job_id = f"{owner}{case}{result}{number}{access is None}"
    quota = Quota(QUOTA_BYTES)
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
    """The bytes that `owner` keeps, from the size of every file."""

    def sum_of_sizes(connection: Connection) -> int:
        rows = connection.execute(
            select(holdings.c.kind, holdings.c.id, holdings.c.case_id).where(holdings.c.owner == owner)
        ).all()
        needed_items = {(kind, id) for kind, id, _ in rows} | {(CASE, case_id) for *_, case_id in rows}
        return sum(
            store.case_bytes(id) if kind == CASE else store.result_bytes(ResultKind(kind), id)
            for kind, id in needed_items
        )

    return database.read(sum_of_sizes)


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


def test_running_sums_equal_a_recount_and_the_file_sizes(
    tmp_path: Path, open_database: Callable[[str, float], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    # These data need not survive a power cut.
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    database = open_database(f"sqlite:///{tmp_path / 'records.sqlite'}", 5.0)
    event.listen(database.engine, "connect", lambda raw, record: raw.execute("PRAGMA synchronous = OFF"))
    migrate(database)

    def delete_rows(connection: Connection) -> None:
        for table in (holdings, sizes, owners, jobs):
            connection.execute(delete(table))

    @settings(max_examples=30)
    @given(STEPS)
    def check_sums(steps: list[Step]) -> None:
        database.write(delete_rows)
        shutil.rmtree(tmp_path / "data", ignore_errors=True)
        store = Store(tmp_path / "data")
        new_parts = store, Library(database, store, Quota(QUOTA_BYTES)), database
        for step in steps:
            with contextlib.suppress(StorageError, InputsRemoved, ZeroDivisionError):
                perform_step(new_parts, *step)
            for owner in OWNERS:
                byte_count = new_parts[1].kept_bytes(owner)
                assert byte_count == database.read(recount).get(owner, 0) == files_of(database, store, owner)

    check_sums()


def perform_step(
    store_parts: StoreParts, action: str, owner: str, case: int, result: int, has_map_or_is_case: bool
) -> None:
    """Perform one step.

    Raises StorageError or InputsRemoved if it is refused, ZeroDivisionError if it fails at its end.
    """
    store, library, database = store_parts
    match action:
        case "bring":
            upload_case(store, library, owner, case)
        case "make":
            finished_job(store_parts, owner, case, result, b"m" * 50 if has_map_or_is_case else None)
        case "fail":
            database.write(lambda c: fail_after_grant(c, owner, CASES[case]))
        case "update_sizes":
            library.update_sizes()
        case _ if has_map_or_is_case:
            library.remove_case(owner, CASES[case])
        case _:
            library.remove_result(owner, (ResultKind.PLAN, ResultKind.REPLAN)[case % 2], RESULTS[result])


def fail_after_grant(connection: Connection, owner: str, case_id: str) -> None:
    note_size(connection, CASE, case_id, 7)
    grant(connection, owner, CASE, case_id, case_id)
    raise ZeroDivisionError


def test_each_item_is_counted_once(store_parts: StoreParts) -> None:
    store, library, database = store_parts
    upload_case(store, library, "ann", 0)
    size = store.case_bytes(CASES[0])
    assert library.kept_bytes("ann") == size and library.kept_bytes("ben") == 0
    # A case counts once, however many results it has, and also for an owner of only the plan.
    finished_job(store_parts, "ann", 0, 0, None)
    database.write(lambda c: grant(c, "ben", ResultKind.PLAN, RESULTS[0], CASES[0]))
    assert library.kept_bytes("ann") == size + 300 and library.kept_bytes("ben") == size + 100
    # A map added later to a plan counts for all its owners.
    finished_job(store_parts, "ann", 0, 0, b"m" * 50)
    assert library.kept_bytes("ann") == size + 350 and library.kept_bytes("ben") == size + 150
    remaining_bytes, quota = QUOTA_BYTES - size - 350, Quota(QUOTA_BYTES)
    database.read(lambda c: quota.refuse_more(c, "ann", remaining_bytes))
    with pytest.raises(QuotaExceeded):
        database.read(lambda c: quota.refuse_more(c, "ann", remaining_bytes + 1))
    database.write(lambda c: revoke(c, "ben", ResultKind.PLAN, RESULTS[0]))
    assert library.kept_bytes("ben") == 0


def test_a_case_kept_for_its_plan_needs_no_further_quota(store_parts: StoreParts) -> None:
    store, library, database = store_parts
    content = content_of("thorax", [], False)
    builtin_id = identify(content)
    with store.aside() as folder:
        library.add_case("ann", folder, {"id": builtin_id} | content)
    # The files of this case do not match their digests.
    upload_case(store, library, "ann", 0)
    for number, case_id in enumerate((builtin_id, CASES[0])):
        database.write(lambda c, n=number, id=case_id: grant(c, "ann", ResultKind.PLAN, RESULTS[n], id))  # type: ignore[misc]
        library.remove_case("ann", case_id)
    bytes_before = library.kept_bytes("ann")
    full_library = Library(database, store, Quota(bytes_before))
    assert full_library.grant_case("ann", builtin_id) is not None
    assert full_library.grant_case("ann", CASES[0]) is None
    upload_case(store, full_library, "ann", 0)
    assert full_library.kept_bytes("ann") == bytes_before == files_of(database, store, "ann")
    with pytest.raises(QuotaExceeded):
        upload_case(store, full_library, "ann", 1)


def test_missing_sizes_of_an_earlier_version_are_determined_at_the_start(store_parts: StoreParts) -> None:
    store, library, database = store_parts
    for owner in OWNERS:
        upload_case(store, library, owner, 0)
    finished_job(store_parts, "ann", 0, 1, b"m")
    bytes_before = {owner: library.kept_bytes(owner) for owner in OWNERS}
    lost_case = identify(content_of("thorax", [], False))

    def delete_sizes(connection: Connection) -> None:
        # As after the migration: rows without sizes. One is of a case whose files are lost.
        connection.execute(holdings.insert(), row(lost_case))
        for table in (sizes, owners):
            connection.execute(delete(table))

    database.write(delete_sizes)
    assert library.kept_bytes("ann") == 0
    library.update_sizes()
    assert {owner: library.kept_bytes(owner) for owner in OWNERS} == bytes_before
    assert database.read(set_right) == 0


def test_rows_rebuilt_from_files_are_counted(store_parts: StoreParts) -> None:
    store, library, database = store_parts
    content = content_of("thorax", [], False)
    case_id = identify(content)
    with store.aside() as folder:
        store.add_case(folder, {"id": case_id} | content)
    assert rebuild(store, database, "ann", add=False).left_out == {}
    assert library.kept_bytes("ann") == store.case_bytes(case_id) > 0


def test_a_wrong_sum_is_corrected_at_the_start(store_parts: StoreParts) -> None:
    store, library, database = store_parts
    upload_case(store, library, "ann", 0)
    correct_bytes = library.kept_bytes("ann")
    database.write(lambda c: add(c, "ann", [(CASE, CASES[0])]))
    database.write(lambda c: add(c, "ben", [(CASE, CASES[0])]))
    assert library.kept_bytes("ann") == 2 * correct_bytes
    library.update_sizes()
    assert library.kept_bytes("ann") == correct_bytes and library.kept_bytes("ben") == 0


# With ten thousand cases


def row(case_id: str, owner: str = "local") -> dict[str, object]:
    return {"owner": owner, "kind": CASE, "id": case_id, "case_id": case_id, "created_s": 1.0}


def add_many_cases(connection: Connection, count: int, owner: str = "local") -> None:
    """Add rows of cases of one byte each, without files: a look at the files would count zero bytes."""
    ids = [f"{n:064x}" for n in range(10**6, 10**6 + count)]
    connection.execute(holdings.insert(), [row(id, owner) for id in ids])
    connection.execute(sizes.insert(), [{"kind": CASE, "id": id, "bytes": 1} for id in ids])
    set_right(connection)


def statements(database: Database, action: Callable[[], object]) -> Counter[str]:
    """The SQL statements executed during an action, with their counts."""
    counts: Counter[str] = Counter()

    def count_statement(connection: object, cursor: object, statement: str, *arguments: object) -> None:
        counts[statement] += 1

    event.listen(database.engine, "before_cursor_execute", count_statement)
    action()
    event.remove(database.engine, "before_cursor_execute", count_statement)
    return counts


def test_requests_and_uploads_cost_the_same_with_ten_thousand_cases(
    store_parts: StoreParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, library, database = store_parts
    library = Library(database, store, Quota(1 << 40))
    job_table, quota, measured_cases = JobTable(database, 10**6, 10**6, 10), Quota(1 << 40), []
    real_case_bytes = Store.case_bytes

    def case_bytes(self: Store, case_id: str) -> int:
        measured_cases.append(case_id)
        return real_case_bytes(self, case_id)

    monkeypatch.setattr(Store, "case_bytes", case_bytes)

    def statements_of_requests(number: int) -> list[Counter[str]]:
        def order() -> None:
            new_job = NewJob(f"j{number}", "local", CASES[number], ResultKind.PLAN, "{}", None)
            job_table.accept(new_job, lambda c: quota.refuse_more(c, "local", 1))

        upload_statements = statements(database, lambda: upload_case(store, library, "local", number))
        return [
            upload_statements,
            statements(database, lambda: library.kept_bytes("local")),
            statements(database, order),
        ]

    # The owner holds something already.
    statements_of_requests(2)
    first_counts = statements_of_requests(0)
    database.write(lambda c: add_many_cases(c, MANY_CASES))
    # Same number and same statements: none contains the ten thousand ids.
    assert statements_of_requests(1) == first_counts and all(
        sum(counts.values()) < 30 for counts in first_counts
    )
    assert set(measured_cases) == set(CASES)
    own_bytes = sum(store.case_bytes(case) for case in CASES)
    assert database.read(lambda c: kept_bytes(c, "local")) == MANY_CASES + own_bytes


def statuses_of_concurrent_requests(folder: Path, clients: int, orders: int) -> Counter[int]:
    """Status codes of concurrent requests of an owner with ten thousand cases."""
    settings_many_jobs = Settings(data_dir=folder / "data", max_jobs=10**5, max_jobs_of_owner=10**5)
    Store(settings_many_jobs.data_dir)
    database = Database(settings_many_jobs.database, 5.0)
    migrate(database)
    database.write(lambda c: add_many_cases(c, MANY_CASES))
    database.close()
    status_codes: list[int] = []
    with serve_in_background(create_app(settings_many_jobs, Work(fakes.describe, fakes.plan))) as base_url:
        with client_of(base_url, None) as client:
            case = client.post("/v1/cases", **upload(("file", "a.nii", b"a"))).headers["location"]

        def order(seed: int) -> None:
            with client_of(base_url, None) as client:
                for number in range(orders):
                    body = {"random_seed": 10_000 + seed * orders + number}
                    status_codes.append(client.post(f"{case}/plans", json=body).status_code)

        threads = [threading.Thread(target=order, args=(seed,)) for seed in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return Counter(status_codes)


@pytest.mark.long
def test_eight_concurrent_clients_with_ten_thousand_cases_are_all_accepted(tmp_path: Path) -> None:
    assert statuses_of_concurrent_requests(tmp_path, 8, 15) == {202: 120}


@pytest.mark.long
def test_two_thousand_concurrent_requests_with_ten_thousand_cases_are_all_accepted(
    tmp_path: Path,
) -> None:
    assert statuses_of_concurrent_requests(tmp_path, 8, 250) == {202: 2000}
