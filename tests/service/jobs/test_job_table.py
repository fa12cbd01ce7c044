"""The book of jobs: whatever happens to it in whatever order, in either kind of database."""

import itertools
import tempfile
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.strategies import data, sampled_from
from job_transitions import TABLE

from service.jobs.job_table import Book
from service.problems import Problem, Report
from service.schemas.result_kinds import Kind, Made
from service.storage.database.connection import Database
from service.storage.database.migrate import migrate
from service.storage.job import Job, Order
from service.storage.job_states import FINAL, OPEN, Happening, State
from service.storage.ownership import CASE, hold

ATTEMPTS = 3
WHY = Report("failed", "It failed.")
LOST = Report("failed", "Its workers died.")
MADE = Made(Kind.PLAN, "a" * 64, b"plan")
CASE_ID = "c" * 64


def kept_nowhere(made: Made) -> None:
    del made


def book_in(database: Database, max_open: int = 1000, max_finished: int = 1000, of_owner: int = 1000) -> Book:
    migrate(database)
    database.write(lambda c: hold(c, "owner", CASE, CASE_ID, CASE_ID))
    return Book(database, max_open, of_owner, max_finished)


def order(owner: str = "owner", key: str | None = None, fingerprint: str = "f", case: str = CASE_ID) -> Order:
    return Order(uuid.uuid4().hex, owner, case, Kind.PLAN, "{}", None, key, fingerprint)


@pytest.fixture
def database(database_url: str, open_database: Callable[[str, float], Database]) -> Database:
    return open_database(database_url, 30.0)


@pytest.fixture
def book(database: Database) -> Book:
    return book_in(database)


def begun(book: Book, job: Job) -> Job:
    found = book.begin(job.id, ATTEMPTS, LOST)
    assert found is not None
    return found


# One job


def test_a_job_goes_its_way_and_tells_it(book: Book) -> None:
    job = book.accept(order())
    assert job.state is State.QUEUED and job.attempt == 0
    attempt = begun(book, job)
    assert attempt.state is State.RUNNING and attempt.attempt == 1
    assert book.report(attempt, "search", 0.5) and book.is_at(attempt)
    kept: list[Made] = []
    assert book.succeed(attempt, MADE, kept.append) and kept == [MADE]
    done = book.get(job.id, "owner")
    assert done.state is State.DONE and done.result_id == done.result_plan_id == MADE.id
    assert done.ended_s is not None and done.problem is None
    told = [(e.number, str(e.state), e.phase) for e in book.events(job.id, 0)]
    assert told == [
        (1, "queued", None),
        (2, "running", None),
        (3, "running", "search"),
        (4, "done", "search"),
    ]
    assert [e.number for e in book.events(job.id, 2)] == [3, 4]
    assert book.last_events([job.id, "none"]) == {job.id: 4}


def test_the_time_left_is_told_from_when_the_attempt_began(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1_000_000.0
    monkeypatch.setattr("time.time", lambda: now_s)
    job = book.accept(order())
    # Its turn comes late, and work that is lost tells nothing of the pace.
    for fractions in ((0.5, 0.75), (0.01, 0.25, 1.0)):
        now_s += 300.0
        attempt = begun(book, job)
        assert attempt.begun_s == now_s and attempt.left_s is None
        for fraction in fractions:
            now_s += 15.0
            assert book.report(attempt, "search", fraction)
        if fractions[-1] < 1.0:
            assert book.lose(attempt) and book.get(job.id).left_s is None
    told = [event.left_s for event in book.events(job.id, 0)]
    assert told == [None, None, 15.0, 10.0, None, None, None, 90.0, 0.0]
    assert book.events(job.id, 7)[0].to_json()["progress"] == {
        "phase": "search",
        "fraction": 0.25,
        "left_s": 90.0,
    }
    assert book.get(job.id).to_json()["progress"] == {"phase": "search", "fraction": 1.0, "left_s": 0.0}


def test_what_an_earlier_attempt_still_says_is_not_heard(book: Book) -> None:
    job = book.accept(order())
    first, second = begun(book, job), begun(book, job)
    assert (first.attempt, second.attempt) == (1, 2)
    kept: list[Made] = []
    assert not book.is_at(first) and not book.report(first, "search", 0.9)
    assert not book.succeed(first, MADE, kept.append) and not book.fail(first, WHY) and not book.lose(first)
    assert kept == [] and book.get(job.id).state is State.RUNNING and book.is_at(second)


def test_a_job_whose_workers_die_fails_in_the_end(book: Book) -> None:
    job = book.accept(order())
    for _ in range(ATTEMPTS):
        assert book.lose(begun(book, job)) and book.get(job.id).state is State.QUEUED
    assert book.begin(job.id, ATTEMPTS, LOST) is None
    failed = book.get(job.id)
    assert failed.state is State.FAILED and failed.attempt == ATTEMPTS
    assert failed.problem is not None and failed.problem["detail"] == "Its workers died."


def test_restarts_are_not_the_jobs_fault(book: Book) -> None:
    job = book.accept(order())
    for attempt in range(1, 3 * ATTEMPTS):
        assert begun(book, job).attempt == attempt


def test_a_cancellation_of_what_has_moved_on_does_nothing(book: Book) -> None:
    job = book.accept(order())
    begun(book, job)
    assert not book.cancel(job.id, last_event=job.last_event)
    assert book.get(job.id).state is State.RUNNING
    assert book.cancel(job.id, last_event=2) and book.get(job.id).state is State.CANCELLED


def test_a_job_with_a_key_is_remembered_as_long_as_its_key(database: Database) -> None:
    book = book_in(database, max_finished=0)
    keyed, plain = book.accept(order(key="k")), book.accept(order())
    for job in (keyed, plain):
        book.cancel(job.id)
    book.cancel(book.accept(order()).id)
    book.accept(order())
    assert book.accept(order(key="k")).id == keyed.id
    with pytest.raises(Problem):
        book.get(plain.id)


def test_a_result_that_cannot_be_kept_leaves_the_job_as_it_was(book: Book) -> None:
    job = book.accept(order())
    attempt = begun(book, job)

    def full(made: Made) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        book.succeed(attempt, MADE, full)
    assert book.get(job.id).state is State.RUNNING and book.is_at(attempt)


def test_only_one_of_many_ends_a_job(book: Book) -> None:
    job = book.accept(order())
    attempt = begun(book, job)
    ended: list[bool] = []
    threads = [
        threading.Thread(target=lambda: ended.append(book.succeed(attempt, MADE, kept_nowhere)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == [False] * 5 + [True]
    assert [str(e.state) for e in book.events(job.id, 0)] == ["queued", "running", "done"]


def test_a_submission_is_renewed_by_one_server(book: Book) -> None:
    job = book.accept(order())
    assert book.submit_anew(job) == 1
    assert book.submit_anew(job) is None
    assert book.submit_anew(book.get(job.id)) == 2


# Accepting


def test_too_many_open_jobs_are_refused(database: Database) -> None:
    book = book_in(database, max_open=2)
    first = book.accept(order())
    book.accept(order())
    with pytest.raises(Problem) as caught:
        book.accept(order())
    assert caught.value.report.kind == "busy"
    book.cancel(first.id)
    book.accept(order())


def test_an_owner_has_his_share_of_open_jobs(database: Database) -> None:
    book = book_in(database, of_owner=1)
    database.write(lambda c: hold(c, "other", CASE, CASE_ID, CASE_ID))
    book.accept(order())
    with pytest.raises(Problem) as caught:
        book.accept(order())
    assert caught.value.report.kind == "too-many-requests"
    book.accept(order("other"))


def test_a_case_that_is_not_held_is_refused(book: Book) -> None:
    for bad in (order(case="d" * 64), order(owner="other")):
        with pytest.raises(Problem) as caught:
            book.accept(bad)
        assert caught.value.report.kind == "not-found"


def test_a_key_is_answered_with_its_first_job(book: Book) -> None:
    first = book.accept(order(key="k"))
    assert book.accept(order(key="k")).id == first.id
    with pytest.raises(Problem) as caught:
        book.accept(order(key="k", fingerprint="other"))
    assert caught.value.report.kind == "key-reused"
    assert book.accept(order(key="l", fingerprint="other")).id != first.id


def test_one_key_sent_at_once_makes_one_job(book: Book) -> None:
    jobs: list[str] = []
    threads = [threading.Thread(target=lambda: jobs.append(book.accept(order(key="k")).id)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(jobs) == 6 and len(set(jobs)) == 1


def test_an_order_whose_answer_was_lost_is_accepted_once(book: Book) -> None:
    asked = order()
    assert book.accept(asked) == book.accept(asked)
    assert len(book.open_jobs()) == 1


def test_jobs_that_ended_long_ago_are_forgotten(database: Database) -> None:
    book = book_in(database, max_finished=2)
    ids = [book.accept(order()).id for _ in range(4)]
    for id in ids:
        book.cancel(id)
    book.accept(order())
    assert [job.id for job in book.listed("owner", State.CANCELLED, None, 10)] == [ids[3], ids[2]]
    with pytest.raises(Problem):
        book.get(ids[0])


def test_jobs_are_listed_by_owner_state_and_page(book: Book) -> None:
    ids = [book.accept(order()).id for _ in range(5)]
    begun(book, book.get(ids[0]))
    newest = book.listed("owner", None, None, 2)
    assert [job.id for job in newest] == [ids[4], ids[3]]
    assert [job.id for job in book.listed("owner", None, newest[-1].number, 9)] == ids[2::-1]
    assert [job.id for job in book.listed("owner", State.RUNNING, None, 9)] == [ids[0]]
    assert book.listed("other", None, None, 9) == []
    assert [job.id for job in book.open_jobs()] == ids
    assert book.counts() == {"queued": 4, "running": 1, "done": 0, "failed": 0, "cancelled": 0}
    with pytest.raises(Problem):
        book.get(ids[0], "other")


# Any order of anything


class AnyOrder(RuleBasedStateMachine):
    """What may happen happens, and what must not changes nothing; events tell all of it, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.attempts: list[Job] = []
        self.losses = 0

    @initialize()
    def accept(self) -> None:
        self.database = Database(f"sqlite:///{Path(self.folder.name) / 'x.sqlite'}", 30.0)
        self.book = book_in(self.database)
        self.id = self.book.accept(order()).id
        self.state = State.QUEUED

    @rule()
    def begin(self) -> None:
        spent = self.losses >= ATTEMPTS
        found = self.book.begin(self.id, ATTEMPTS, LOST)
        if self.state in OPEN and spent:
            self._expect(Happening.FAIL, found is None)
        else:
            self._expect(Happening.BEGIN, found is not None)
        if found is not None:
            self.attempts.append(found)

    @precondition(lambda self: self.attempts)
    @rule(picked=data(), what=sampled_from([Happening.LOSE, Happening.SUCCEED, Happening.FAIL]))
    def an_attempt_says(self, picked: data, what: Happening) -> None:
        attempt = picked.draw(sampled_from(self.attempts))
        happened = {
            Happening.LOSE: lambda: self.book.lose(attempt),
            Happening.SUCCEED: lambda: self.book.succeed(attempt, MADE, kept_nowhere),
            Happening.FAIL: lambda: self.book.fail(attempt, WHY),
        }[what]()
        if attempt is self.attempts[-1]:
            self.losses += what is Happening.LOSE and happened
            self._expect(what, happened)
        else:
            assert not happened

    @rule()
    def cancel(self) -> None:
        self.book.cancel(self.id)
        if self.state in OPEN:
            self.state = State.CANCELLED

    @invariant()
    def the_book_says_so(self) -> None:
        job = self.book.get(self.id)
        assert job.state is self.state
        events = self.book.events(self.id, 0)
        assert [e.number for e in events] == list(range(1, job.last_event + 1))
        assert events[-1].state is job.state
        for one, two in itertools.pairwise(events):
            assert any(TABLE[one.state, h] is two.state for h in Happening)
        assert (job.ended_s is not None) == (job.state in FINAL)
        assert (job.problem is not None) == (job.state is State.FAILED)
        assert (job.result_id is not None) == (job.state is State.DONE)

    def _expect(self, happening: Happening, happened: bool) -> None:
        to = TABLE[self.state, happening]
        assert happened == (to is not None)
        self.state = to or self.state

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=25, stateful_step_count=12)
