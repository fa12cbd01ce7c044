"""The job table of jobs: whatever happens to it in whatever order, in either kind of database."""

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

from service.jobs.error_reports import report_of
from service.jobs.errors import InputsRemoved, KeyReused, NoSuchJob, TooManyOpen, TooManyOpenOfOwner
from service.jobs.job_table import JobTable
from service.problems import Report
from service.schemas.result_kinds import CASE, ResultKind
from service.schemas.result_text import JobResult
from service.storage.database.connection import Database
from service.storage.database.migrate import migrate
from service.storage.job import Job, NewJob
from service.storage.job_states import FINAL, OPEN, State, Transition
from service.storage.ownership import grant

ATTEMPTS = 3
WHY = Report("failed", "It failed.")
LOST = Report("failed", "Its workers died.")
MADE = JobResult(ResultKind.PLAN, "a" * 64, b"plan")
CASE_ID = "c" * 64


def kept_nowhere(result: JobResult) -> None:
    del result


def book_in(
    database: Database, max_open: int = 1000, max_finished: int = 1000, of_owner: int = 1000
) -> JobTable:
    migrate(database)
    database.write(lambda c: grant(c, "owner", CASE, CASE_ID, CASE_ID))
    return JobTable(database, max_open, of_owner, max_finished)


def order(
    owner: str = "owner", key: str | None = None, fingerprint: str = "f", case: str = CASE_ID
) -> NewJob:
    return NewJob(uuid.uuid4().hex, owner, case, ResultKind.PLAN, "{}", None, key, fingerprint)


@pytest.fixture
def database(database_url: str, open_database: Callable[[str, float], Database]) -> Database:
    return open_database(database_url, 30.0)


@pytest.fixture
def job_table(database: Database) -> JobTable:
    return book_in(database)


def begun(job_table: JobTable, job: Job) -> Job:
    begun_job = job_table.begin(job.id, ATTEMPTS, LOST)
    assert begun_job is not None
    return begun_job


# One job


def test_a_job_passes_through_its_states_with_an_event_for_each(job_table: JobTable) -> None:
    job = job_table.accept(order())
    assert job.state is State.QUEUED and job.attempt == 0
    attempt = begun(job_table, job)
    assert attempt.state is State.RUNNING and attempt.attempt == 1
    assert job_table.report(attempt, "search", 0.5) and job_table.is_at(attempt)
    kept: list[JobResult] = []
    assert job_table.succeed(attempt, MADE, kept.append) and kept == [MADE]
    response = job_table.get(job.id, "owner")
    assert response.state is State.DONE and response.result_id == response.result_plan_id == MADE.id
    assert response.ended_s is not None and response.problem is None
    job_events = [(e.number, str(e.state), e.phase) for e in job_table.events(job.id, 0)]
    assert job_events == [
        (1, "queued", None),
        (2, "running", None),
        (3, "running", "search"),
        (4, "done", "search"),
    ]
    assert [e.number for e in job_table.events(job.id, 2)] == [3, 4]
    assert job_table.last_events([job.id, "none"]) == {job.id: 4}


def test_the_time_left_is_reported_from_when_the_attempt_began(
    job_table: JobTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1_000_000.0
    monkeypatch.setattr("time.time", lambda: now_s)
    job = job_table.accept(order())
    # Its turn comes late, and work that is lost tells nothing of the pace.
    for fractions in ((0.5, 0.75), (0.01, 0.25, 1.0)):
        now_s += 300.0
        attempt = begun(job_table, job)
        assert attempt.begun_s == now_s and attempt.left_s is None
        for fraction in fractions:
            now_s += 15.0
            assert job_table.report(attempt, "search", fraction)
        if fractions[-1] < 1.0:
            assert job_table.lose(attempt) and job_table.get(job.id).left_s is None
    times_left = [event.left_s for event in job_table.events(job.id, 0)]
    assert times_left == [None, None, 15.0, 10.0, None, None, None, 90.0, 0.0]
    assert job_table.events(job.id, 7)[0].to_json()["progress"] == {
        "phase": "search",
        "fraction": 0.25,
        "left_s": 90.0,
    }
    assert job_table.get(job.id).to_json()["progress"] == {"phase": "search", "fraction": 1.0, "left_s": 0.0}


def test_what_an_earlier_attempt_still_says_is_not_heard(job_table: JobTable) -> None:
    job = job_table.accept(order())
    first, second = begun(job_table, job), begun(job_table, job)
    assert (first.attempt, second.attempt) == (1, 2)
    kept: list[JobResult] = []
    assert not job_table.is_at(first) and not job_table.report(first, "search", 0.9)
    assert (
        not job_table.succeed(first, MADE, kept.append)
        and not job_table.fail(first, WHY)
        and not job_table.lose(first)
    )
    assert kept == [] and job_table.get(job.id).state is State.RUNNING and job_table.is_at(second)


def test_a_job_whose_workers_die_fails_in_the_end(job_table: JobTable) -> None:
    job = job_table.accept(order())
    for _ in range(ATTEMPTS):
        assert job_table.lose(begun(job_table, job)) and job_table.get(job.id).state is State.QUEUED
    assert job_table.begin(job.id, ATTEMPTS, LOST) is None
    failed = job_table.get(job.id)
    assert failed.state is State.FAILED and failed.attempt == ATTEMPTS
    assert failed.problem is not None and failed.problem["detail"] == "Its workers died."


def test_restarts_are_not_the_jobs_fault(job_table: JobTable) -> None:
    job = job_table.accept(order())
    for attempt in range(1, 3 * ATTEMPTS):
        assert begun(job_table, job).attempt == attempt


def test_a_cancellation_of_what_has_moved_on_does_nothing(job_table: JobTable) -> None:
    job = job_table.accept(order())
    begun(job_table, job)
    assert not job_table.cancel(job.id, last_event=job.last_event)
    assert job_table.get(job.id).state is State.RUNNING
    assert job_table.cancel(job.id, last_event=2) and job_table.get(job.id).state is State.CANCELLED


def test_a_job_with_a_key_is_remembered_as_long_as_its_key(database: Database) -> None:
    job_table = book_in(database, max_finished=0)
    keyed, plain = job_table.accept(order(key="k")), job_table.accept(order())
    for job in (keyed, plain):
        job_table.cancel(job.id)
    job_table.cancel(job_table.accept(order()).id)
    job_table.accept(order())
    assert job_table.accept(order(key="k")).id == keyed.id
    with pytest.raises(NoSuchJob):
        job_table.get(plain.id)


def test_a_result_that_cannot_be_kept_leaves_the_job_as_it_was(job_table: JobTable) -> None:
    job = job_table.accept(order())
    attempt = begun(job_table, job)

    def full(result: JobResult) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        job_table.succeed(attempt, MADE, full)
    assert job_table.get(job.id).state is State.RUNNING and job_table.is_at(attempt)


def test_only_one_of_many_ends_a_job(job_table: JobTable) -> None:
    job = job_table.accept(order())
    attempt = begun(job_table, job)
    ended: list[bool] = []
    threads = [
        threading.Thread(target=lambda: ended.append(job_table.succeed(attempt, MADE, kept_nowhere)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == [False] * 5 + [True]
    assert [str(e.state) for e in job_table.events(job.id, 0)] == ["queued", "running", "done"]


def test_a_submission_is_renewed_by_one_server(job_table: JobTable) -> None:
    job = job_table.accept(order())
    assert job_table.submit_anew(job) == 1
    assert job_table.submit_anew(job) is None
    assert job_table.submit_anew(job_table.get(job.id)) == 2


# Accepting


def test_too_many_open_jobs_are_refused(database: Database) -> None:
    job_table = book_in(database, max_open=2)
    first = job_table.accept(order())
    job_table.accept(order())
    with pytest.raises(TooManyOpen) as caught:
        job_table.accept(order())
    assert report_of(caught.value).kind == "busy"
    job_table.cancel(first.id)
    job_table.accept(order())


def test_an_owner_has_his_share_of_open_jobs(database: Database) -> None:
    job_table = book_in(database, of_owner=1)
    database.write(lambda c: grant(c, "other", CASE, CASE_ID, CASE_ID))
    job_table.accept(order())
    with pytest.raises(TooManyOpenOfOwner) as caught:
        job_table.accept(order())
    assert report_of(caught.value).kind == "too-many-requests"
    job_table.accept(order("other"))


def test_a_case_that_is_not_held_is_refused(job_table: JobTable) -> None:
    for bad in (order(case="d" * 64), order(owner="other")):
        with pytest.raises(InputsRemoved) as caught:
            job_table.accept(bad)
        assert report_of(caught.value).kind == "not-found"


def test_a_key_is_answered_with_its_first_job(job_table: JobTable) -> None:
    first = job_table.accept(order(key="k"))
    assert job_table.accept(order(key="k")).id == first.id
    with pytest.raises(KeyReused) as caught:
        job_table.accept(order(key="k", fingerprint="other"))
    assert report_of(caught.value).kind == "key-reused"
    assert job_table.accept(order(key="l", fingerprint="other")).id != first.id


def test_one_key_sent_at_once_makes_one_job(job_table: JobTable) -> None:
    jobs: list[str] = []
    threads = [
        threading.Thread(target=lambda: jobs.append(job_table.accept(order(key="k")).id)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(jobs) == 6 and len(set(jobs)) == 1


def test_an_order_whose_answer_was_lost_is_accepted_once(job_table: JobTable) -> None:
    new_job = order()
    assert job_table.accept(new_job) == job_table.accept(new_job)
    assert len(job_table.open_jobs()) == 1


def test_jobs_that_ended_long_ago_are_forgotten(database: Database) -> None:
    job_table = book_in(database, max_finished=2)
    ids = [job_table.accept(order()).id for _ in range(4)]
    for id in ids:
        job_table.cancel(id)
    job_table.accept(order())
    assert [job.id for job in job_table.listed("owner", State.CANCELLED, None, 10)] == [ids[3], ids[2]]
    with pytest.raises(NoSuchJob):
        job_table.get(ids[0])


def test_jobs_are_listed_by_owner_state_and_page(job_table: JobTable) -> None:
    ids = [job_table.accept(order()).id for _ in range(5)]
    begun(job_table, job_table.get(ids[0]))
    newest = job_table.listed("owner", None, None, 2)
    assert [job.id for job in newest] == [ids[4], ids[3]]
    assert [job.id for job in job_table.listed("owner", None, newest[-1].number, 9)] == ids[2::-1]
    assert [job.id for job in job_table.listed("owner", State.RUNNING, None, 9)] == [ids[0]]
    assert job_table.listed("other", None, None, 9) == []
    assert [job.id for job in job_table.open_jobs()] == ids
    assert job_table.counts() == {"queued": 4, "running": 1, "done": 0, "failed": 0, "cancelled": 0}
    with pytest.raises(NoSuchJob):
        job_table.get(ids[0], "other")


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
        self.job_table = book_in(self.database)
        self.id = self.job_table.accept(order()).id
        self.state = State.QUEUED

    @rule()
    def begin(self) -> None:
        spent = self.losses >= ATTEMPTS
        begun_job = self.job_table.begin(self.id, ATTEMPTS, LOST)
        if self.state in OPEN and spent:
            self._expect(Transition.FAIL, begun_job is None)
        else:
            self._expect(Transition.BEGIN, begun_job is not None)
        if begun_job is not None:
            self.attempts.append(begun_job)

    @precondition(lambda self: self.attempts)
    @rule(picked=data(), what=sampled_from([Transition.LOSE, Transition.SUCCEED, Transition.FAIL]))
    def an_attempt_says(self, picked: data, what: Transition) -> None:
        attempt = picked.draw(sampled_from(self.attempts))
        happened = {
            Transition.LOSE: lambda: self.job_table.lose(attempt),
            Transition.SUCCEED: lambda: self.job_table.succeed(attempt, MADE, kept_nowhere),
            Transition.FAIL: lambda: self.job_table.fail(attempt, WHY),
        }[what]()
        if attempt is self.attempts[-1]:
            self.losses += what is Transition.LOSE and happened
            self._expect(what, happened)
        else:
            assert not happened

    @rule()
    def cancel(self) -> None:
        self.job_table.cancel(self.id)
        if self.state in OPEN:
            self.state = State.CANCELLED

    @invariant()
    def the_book_says_so(self) -> None:
        job = self.job_table.get(self.id)
        assert job.state is self.state
        events = self.job_table.events(self.id, 0)
        assert [e.number for e in events] == list(range(1, job.last_event + 1))
        assert events[-1].state is job.state
        for one, two in itertools.pairwise(events):
            assert any(TABLE[one.state, h] is two.state for h in Transition)
        assert (job.ended_s is not None) == (job.state in FINAL)
        assert (job.problem is not None) == (job.state is State.FAILED)
        assert (job.result_id is not None) == (job.state is State.DONE)

    def _expect(self, happening: Transition, happened: bool) -> None:
        to = TABLE[self.state, happening]
        assert happened == (to is not None)
        self.state = to or self.state

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=25, stateful_step_count=12)
