"""The job table: every sequence of events, in either kind of database."""

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
FAILURE = Report("failed", "It failed.")
LOST = Report("failed", "Its workers died.")
RESULT = JobResult(ResultKind.PLAN, "a" * 64, b"plan")
CASE_ID = "c" * 64


def discard_result(result: JobResult) -> None:
    del result


def job_table_in(
    database: Database, max_open: int = 1000, max_finished: int = 1000, of_owner: int = 1000
) -> JobTable:
    migrate(database)
    database.write(lambda c: grant(c, "owner", CASE, CASE_ID, CASE_ID))
    return JobTable(database, max_open, of_owner, max_finished)


def new_job(
    owner: str = "owner", key: str | None = None, fingerprint: str = "f", case: str = CASE_ID
) -> NewJob:
    return NewJob(uuid.uuid4().hex, owner, case, ResultKind.PLAN, "{}", None, key, fingerprint)


@pytest.fixture
def database(database_url: str, open_database: Callable[[str, float], Database]) -> Database:
    return open_database(database_url, 30.0)


@pytest.fixture
def job_table(database: Database) -> JobTable:
    return job_table_in(database)


def begin_attempt(job_table: JobTable, job: Job) -> Job:
    begun_job = job_table.begin(job.id, ATTEMPTS, LOST)
    assert begun_job is not None
    return begun_job


# One job


def test_a_job_passes_through_its_states_and_records_them(job_table: JobTable) -> None:
    job = job_table.accept(new_job())
    assert job.state is State.QUEUED and job.attempt == 0
    attempt = begin_attempt(job_table, job)
    assert attempt.state is State.RUNNING and attempt.attempt == 1
    assert job_table.report(attempt, "search", 0.5) and job_table.is_at(attempt)
    kept_results: list[JobResult] = []
    assert job_table.succeed(attempt, RESULT, kept_results.append) and kept_results == [RESULT]
    response = job_table.get(job.id, "owner")
    assert response.state is State.DONE and response.result_id == response.result_plan_id == RESULT.id
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


def test_the_time_left_is_estimated_from_the_start_of_the_attempt(
    job_table: JobTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1_000_000.0
    monkeypatch.setattr("time.time", lambda: now_s)
    job = job_table.accept(new_job())
    # The job waits before each attempt, and a lost attempt must not influence the estimate.
    for fractions in ((0.5, 0.75), (0.01, 0.25, 1.0)):
        now_s += 300.0
        attempt = begin_attempt(job_table, job)
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


def test_reports_of_an_earlier_attempt_are_ignored(job_table: JobTable) -> None:
    job = job_table.accept(new_job())
    first_attempt, second_attempt = begin_attempt(job_table, job), begin_attempt(job_table, job)
    assert (first_attempt.attempt, second_attempt.attempt) == (1, 2)
    kept_results: list[JobResult] = []
    assert not job_table.is_at(first_attempt) and not job_table.report(first_attempt, "search", 0.9)
    assert (
        not job_table.succeed(first_attempt, RESULT, kept_results.append)
        and not job_table.fail(first_attempt, FAILURE)
        and not job_table.lose(first_attempt)
    )
    assert (
        kept_results == []
        and job_table.get(job.id).state is State.RUNNING
        and job_table.is_at(second_attempt)
    )


def test_a_job_whose_workers_die_fails_after_its_last_attempt(job_table: JobTable) -> None:
    job = job_table.accept(new_job())
    for _ in range(ATTEMPTS):
        assert job_table.lose(begin_attempt(job_table, job)) and job_table.get(job.id).state is State.QUEUED
    assert job_table.begin(job.id, ATTEMPTS, LOST) is None
    failed_job = job_table.get(job.id)
    assert failed_job.state is State.FAILED and failed_job.attempt == ATTEMPTS
    assert failed_job.problem is not None and failed_job.problem["detail"] == "Its workers died."


def test_restarts_are_not_counted_as_losses_of_a_job(job_table: JobTable) -> None:
    job = job_table.accept(new_job())
    for attempt in range(1, 3 * ATTEMPTS):
        assert begin_attempt(job_table, job).attempt == attempt


def test_a_cancellation_with_an_old_event_number_does_nothing(job_table: JobTable) -> None:
    job = job_table.accept(new_job())
    begin_attempt(job_table, job)
    assert not job_table.cancel(job.id, last_event=job.last_event)
    assert job_table.get(job.id).state is State.RUNNING
    assert job_table.cancel(job.id, last_event=2) and job_table.get(job.id).state is State.CANCELLED


def test_a_job_with_a_key_is_remembered_as_long_as_its_key(database: Database) -> None:
    job_table = job_table_in(database, max_finished=0)
    with_key, without_key = job_table.accept(new_job(key="k")), job_table.accept(new_job())
    for job in (with_key, without_key):
        job_table.cancel(job.id)
    job_table.cancel(job_table.accept(new_job()).id)
    job_table.accept(new_job())
    assert job_table.accept(new_job(key="k")).id == with_key.id
    with pytest.raises(NoSuchJob):
        job_table.get(without_key.id)


def test_a_result_that_cannot_be_stored_leaves_the_job_unchanged(job_table: JobTable) -> None:
    job = job_table.accept(new_job())
    attempt = begin_attempt(job_table, job)

    def raise_disk_full(result: JobResult) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        job_table.succeed(attempt, RESULT, raise_disk_full)
    assert job_table.get(job.id).state is State.RUNNING and job_table.is_at(attempt)


def test_only_one_of_many_threads_ends_a_job(job_table: JobTable) -> None:
    job = job_table.accept(new_job())
    attempt = begin_attempt(job_table, job)
    successes: list[bool] = []
    threads = [
        threading.Thread(target=lambda: successes.append(job_table.succeed(attempt, RESULT, discard_result)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(successes) == [False] * 5 + [True]
    assert [str(e.state) for e in job_table.events(job.id, 0)] == ["queued", "running", "done"]


def test_a_submission_is_renewed_by_one_server(job_table: JobTable) -> None:
    job = job_table.accept(new_job())
    assert job_table.submit_anew(job) == 1
    assert job_table.submit_anew(job) is None
    assert job_table.submit_anew(job_table.get(job.id)) == 2


# Accepting


def test_too_many_open_jobs_are_refused(database: Database) -> None:
    job_table = job_table_in(database, max_open=2)
    first_job = job_table.accept(new_job())
    job_table.accept(new_job())
    with pytest.raises(TooManyOpen) as caught:
        job_table.accept(new_job())
    assert report_of(caught.value).kind == "busy"
    job_table.cancel(first_job.id)
    job_table.accept(new_job())


def test_each_owner_has_a_limit_of_open_jobs(database: Database) -> None:
    job_table = job_table_in(database, of_owner=1)
    database.write(lambda c: grant(c, "other", CASE, CASE_ID, CASE_ID))
    job_table.accept(new_job())
    with pytest.raises(TooManyOpenOfOwner) as caught:
        job_table.accept(new_job())
    assert report_of(caught.value).kind == "too-many-requests"
    job_table.accept(new_job("other"))


def test_a_case_that_is_not_held_is_refused(job_table: JobTable) -> None:
    for job_order in (new_job(case="d" * 64), new_job(owner="other")):
        with pytest.raises(InputsRemoved) as caught:
            job_table.accept(job_order)
        assert report_of(caught.value).kind == "not-found"


def test_a_key_is_answered_with_its_first_job(job_table: JobTable) -> None:
    first_job = job_table.accept(new_job(key="k"))
    assert job_table.accept(new_job(key="k")).id == first_job.id
    with pytest.raises(KeyReused) as caught:
        job_table.accept(new_job(key="k", fingerprint="other"))
    assert report_of(caught.value).kind == "key-reused"
    assert job_table.accept(new_job(key="l", fingerprint="other")).id != first_job.id


def test_one_key_sent_at_once_makes_one_job(job_table: JobTable) -> None:
    jobs: list[str] = []
    threads = [
        threading.Thread(target=lambda: jobs.append(job_table.accept(new_job(key="k")).id)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(jobs) == 6 and len(set(jobs)) == 1


def test_an_order_sent_twice_is_accepted_once(job_table: JobTable) -> None:
    job_order = new_job()
    assert job_table.accept(job_order) == job_table.accept(job_order)
    assert len(job_table.open_jobs()) == 1


def test_jobs_that_ended_long_ago_are_forgotten(database: Database) -> None:
    job_table = job_table_in(database, max_finished=2)
    ids = [job_table.accept(new_job()).id for _ in range(4)]
    for id in ids:
        job_table.cancel(id)
    job_table.accept(new_job())
    assert [job.id for job in job_table.listed("owner", State.CANCELLED, None, 10)] == [ids[3], ids[2]]
    with pytest.raises(NoSuchJob):
        job_table.get(ids[0])


def test_jobs_are_listed_by_owner_state_and_page(job_table: JobTable) -> None:
    ids = [job_table.accept(new_job()).id for _ in range(5)]
    begin_attempt(job_table, job_table.get(ids[0]))
    newest = job_table.listed("owner", None, None, 2)
    assert [job.id for job in newest] == [ids[4], ids[3]]
    assert [job.id for job in job_table.listed("owner", None, newest[-1].number, 9)] == ids[2::-1]
    assert [job.id for job in job_table.listed("owner", State.RUNNING, None, 9)] == [ids[0]]
    assert job_table.listed("other", None, None, 9) == []
    assert [job.id for job in job_table.open_jobs()] == ids
    assert job_table.counts() == {"queued": 4, "running": 1, "done": 0, "failed": 0, "cancelled": 0}
    with pytest.raises(NoSuchJob):
        job_table.get(ids[0], "other")


# Any sequence of transitions


class AnyOrder(RuleBasedStateMachine):
    """Allowed transitions happen, others change nothing; the events record all of them in order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.attempts: list[Job] = []
        self.losses = 0

    @initialize()
    def accept(self) -> None:
        self.database = Database(f"sqlite:///{Path(self.folder.name) / 'x.sqlite'}", 30.0)
        self.job_table = job_table_in(self.database)
        self.id = self.job_table.accept(new_job()).id
        self.state = State.QUEUED

    @rule()
    def begin(self) -> None:
        is_exhausted = self.losses >= ATTEMPTS
        begun_job = self.job_table.begin(self.id, ATTEMPTS, LOST)
        if self.state in OPEN and is_exhausted:
            self._expect(Transition.FAIL, begun_job is None)
        else:
            self._expect(Transition.BEGIN, begun_job is not None)
        if begun_job is not None:
            self.attempts.append(begun_job)

    @precondition(lambda self: self.attempts)
    @rule(draws=data(), transition=sampled_from([Transition.LOSE, Transition.SUCCEED, Transition.FAIL]))
    def end_attempt(self, draws: data, transition: Transition) -> None:
        attempt = draws.draw(sampled_from(self.attempts))
        is_accepted = {
            Transition.LOSE: lambda: self.job_table.lose(attempt),
            Transition.SUCCEED: lambda: self.job_table.succeed(attempt, RESULT, discard_result),
            Transition.FAIL: lambda: self.job_table.fail(attempt, FAILURE),
        }[transition]()
        if attempt is self.attempts[-1]:
            self.losses += transition is Transition.LOSE and is_accepted
            self._expect(transition, is_accepted)
        else:
            assert not is_accepted

    @rule()
    def cancel(self) -> None:
        self.job_table.cancel(self.id)
        if self.state in OPEN:
            self.state = State.CANCELLED

    @invariant()
    def job_equals_model(self) -> None:
        job = self.job_table.get(self.id)
        assert job.state is self.state
        events = self.job_table.events(self.id, 0)
        assert [e.number for e in events] == list(range(1, job.last_event + 1))
        assert events[-1].state is job.state
        for event, next_event in itertools.pairwise(events):
            assert any(TABLE[event.state, transition] is next_event.state for transition in Transition)
        assert (job.ended_s is not None) == (job.state in FINAL)
        assert (job.problem is not None) == (job.state is State.FAILED)
        assert (job.result_id is not None) == (job.state is State.DONE)

    def _expect(self, transition: Transition, is_accepted: bool) -> None:
        next_state = TABLE[self.state, transition]
        assert is_accepted == (next_state is not None)
        self.state = next_state or self.state

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=25, stateful_step_count=12)
