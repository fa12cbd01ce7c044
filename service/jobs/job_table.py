"""Job table: jobs as the database has them, and every change of one.

A change is one transaction, which is made only if the job is in the state that the change expects. Whoever
comes second finds the job in another state, and is told so. `attempt` counts how often a worker has started
the job; reports of earlier attempts are ignored.
"""

import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, Select, delete, func, select, update

from service.host.time_left import time_left_s
from service.jobs.errors import InputsRemoved, KeyReused, NoSuchJob, TooManyOpen, TooManyOpenOfOwner
from service.problems import Report
from service.schemas.result_kinds import CASE, ResultKind
from service.schemas.result_text import JobResult
from service.storage.database.connection import Database
from service.storage.database.tables import job_events, jobs, requests
from service.storage.job import Event, Job, NewJob
from service.storage.job_states import FINAL, OPEN, State, Transition, state_after, states_before
from service.storage.kept_bytes import note_grown
from service.storage.ownership import LOCK, case_ids, grant, record_use

MOST_ATTEMPTS = 100
"""Starts of one job, whatever ended them: with more, the job itself is what crashes its machine [U]."""

KEEP_KEYS_S = 24 * 3600.0
"""How long an Idempotency-Key is remembered [U]."""

_NOTHING_DONE: dict[str, Any] = {"phase": None, "fraction": 0.0, "left_s": None}
"""The progress of an attempt that begins, or that was lost."""


class JobTable:
    """All jobs of a service, in its database. Every method may raise database.connection.Unavailable."""

    def __init__(self, database: Database, max_open: int, max_open_of_owner: int, max_finished: int) -> None:
        self._database = database
        self._max_open, self._max_open_of_owner = max_open, max_open_of_owner
        self._max_finished = max_finished

    def accept(
        self,
        order: NewJob,
        refuse: Callable[[Connection], None] | None = None,
        is_lost: Callable[[Connection, Job], bool] | None = None,
    ) -> Job:
        """Record a new job, or return the one that has the same Idempotency-Key. If the result of that one
        `is_lost`, the key is given to the new job.

        Raises TooManyOpen, TooManyOpenOfOwner, KeyReused, or InputsRemoved where the case or the plan is not
        there any more; and what `refuse` raises, which looks at new orders only.
        """

        def change(connection: Connection) -> Job:
            recorded = _recorded(connection, order)
            if recorded is not None:
                return recorded
            recorded = _known(connection, order)
            if recorded is not None and not (is_lost is not None and is_lost(connection, recorded)):
                return recorded
            if recorded is not None:
                used = requests.c.owner == order.owner, requests.c.key == order.key
                connection.execute(delete(requests).where(*used))
            if refuse is not None:
                refuse(connection)
            return self._accept(connection, order)

        return self._database.write(change, LOCK, needed=False)

    def get(self, job_id: str, owner: str | None = None) -> Job:
        """A job, of that owner. Raises NoSuchJob when it is not there."""
        if not (job_id.isascii() and job_id.isalnum()):
            raise NoSuchJob
        statement = select(jobs).where(jobs.c.id == job_id)
        if owner is not None:
            statement = statement.where(jobs.c.owner == owner)
        row = self._database.read(lambda c: _row(c, statement))
        if row is None:
            raise NoSuchJob
        return _job(row)

    def listed(self, owner: str, state: State | None, before: int | None, most: int) -> list[Job]:
        """Jobs of an owner with a number below `before`, newest first."""
        statement = select(jobs).where(jobs.c.owner == owner).order_by(jobs.c.number.desc()).limit(most)
        if state is not None:
            statement = statement.where(jobs.c.state == state)
        if before is not None:
            statement = statement.where(jobs.c.number < before)
        return self._database.read(lambda c: _jobs(c, statement))

    def open_jobs(self) -> list[Job]:
        """All jobs that have not ended, oldest first."""
        statement = select(jobs).where(jobs.c.state.in_(OPEN)).order_by(jobs.c.number)
        return self._database.read(lambda c: _jobs(c, statement))

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        statement = select(jobs.c.state, func.count()).group_by(jobs.c.state)
        counts = dict(self._database.read(lambda c: [(s, n) for s, n in c.execute(statement)]))
        return {str(state): counts.get(state, 0) for state in State}

    def events(self, job_id: str, after: int) -> list[Event]:
        """The events of a job after the one with that number."""
        statement = (
            select(*(job_events.c[field.name] for field in fields(Event)))
            .where(job_events.c.job_id == job_id, job_events.c.number > after)
            .order_by(job_events.c.number)
        )
        rows = self._database.read(lambda c: c.execute(statement).all())
        return [Event(number, State(state), *values) for number, state, *values in rows]

    def last_events(self, job_ids: Sequence[str]) -> dict[str, int]:
        """The number of the last event of each of these jobs."""
        statement = select(jobs.c.id, jobs.c.last_event).where(jobs.c.id.in_(job_ids))
        return dict(self._database.read(lambda c: [(id, n) for id, n in c.execute(statement)]))

    def begin(self, job_id: str, most_losses: int, loss_report: Report) -> Job | None:
        """Start an attempt. None when the job has ended, or ends now with `loss_report`, because the process
        that worked on it died `most_losses` times. Restarts of a server or a scheduler do not count against
        a job."""
        call = uuid.uuid4().hex

        def change(connection: Connection) -> Job | None:
            # A transaction whose result was lost runs again.
            begun = _row(connection, select(jobs).where(jobs.c.id == job_id, jobs.c.begun_by == call))
            if begun is not None:
                return _job(begun)
            worn_out = (jobs.c.losses >= most_losses) | (jobs.c.attempt >= MOST_ATTEMPTS)
            ends = {"problem": _text(loss_report), "ended_s": time.time()}
            if _moved(connection, job_id, Transition.FAIL, worn_out, **ends) is not None:
                return None
            begins = {"attempt": jobs.c.attempt + 1, "begun_by": call, "begun_s": time.time()}
            row = _moved(connection, job_id, Transition.BEGIN, **begins, **_NOTHING_DONE)
            return None if row is None else _job(row)

        return self._database.write(change)

    def report(self, job: Job, phase: str, fraction: float) -> bool:
        """Record the progress of an attempt, with the estimated time left; False when the attempt is no
        longer the current one."""
        left_s = None if job.begun_s is None else time_left_s(time.time() - job.begun_s, fraction)

        def change(connection: Connection) -> bool:
            values = {"phase": phase, "fraction": fraction, "left_s": left_s}
            changed = values | {"last_event": jobs.c.last_event + 1}
            statement = update(jobs).where(*_is_attempt(job)).values(changed).returning(jobs)
            row = _row(connection, statement)
            if row is not None:
                _note(connection, row)
            return row is not None

        return self._database.write(change, needed=False)

    def is_at(self, job: Job) -> bool:
        """Whether an attempt is still the current one."""
        statement = select(jobs.c.id).where(*_is_attempt(job))
        return self._database.read(lambda c: c.execute(statement).one_or_none()) is not None

    def succeed(self, job: Job, result: JobResult, keep: Callable[[JobResult], None]) -> bool:
        """Save the result of an attempt with `keep`, and end the job; False when the attempt is no longer the
        current one."""

        def change(connection: Connection) -> bool:
            ends = {
                "result_id": result.id,
                "result_plan_id": result.plan_id,
                "fraction": 1.0,
                "ended_s": time.time(),
            }
            row = _moved(connection, job.id, Transition.SUCCEED, jobs.c.attempt == job.attempt, **ends)
            if row is None:
                return False
            keep(result)
            for part in (result, result.plan):
                if part is not None:
                    note_grown(connection, part.kind, part.id, part.size_bytes)
                    grant(connection, job.owner, part.kind, part.id, job.case_id, part.summary)
            _use(connection, job.owner, job.case_id, job.plan_id)
            return True

        return self._database.write(change, LOCK)

    def fail(self, job: Job, why: Report) -> bool:
        """End a job with a problem; False when the attempt is no longer the current one."""
        ends = {"problem": _text(why), "ended_s": time.time()}
        return self._move(job, Transition.FAIL, **ends)

    def lose(self, job: Job) -> bool:
        """The process that worked on an attempt died; False when the attempt is no longer the current one."""
        return self._move(job, Transition.LOSE, losses=jobs.c.losses + 1, **_NOTHING_DONE)

    def cancel(self, job_id: str, last_event: int | None = None) -> bool:
        """Cancel a job, if `last_event` is still its last; False where nothing changed. A job that has ended
        stays as it is."""
        only = () if last_event is None else (jobs.c.last_event == last_event,)
        ends = {"ended_s": time.time()}
        return self._database.write(lambda c: _moved(c, job_id, Transition.CANCEL, *only, **ends)) is not None

    def ended_before(self, before_s: float) -> list[Job]:
        """Jobs that ended before that time, in seconds since 1970, and whose Idempotency-Key is no longer
        remembered; those that ended first come first."""
        conditions = jobs.c.state.in_(FINAL), jobs.c.ended_s < before_s, jobs.c.id.not_in(_keyed())
        statement = select(jobs).where(*conditions).order_by(jobs.c.ended_s, jobs.c.number)
        return self._database.read(lambda c: _jobs(c, statement))

    def forget(self, job_id: str, note: Callable[[], None]) -> bool:
        """Delete a job that has ended, after calling `note`; its result stays. False where there is none."""
        ended = jobs.c.id == job_id, jobs.c.state.in_(FINAL), jobs.c.id.not_in(_keyed())

        def change(connection: Connection) -> bool:
            if _row(connection, select(jobs).where(*ended)) is None:
                return False
            note()
            connection.execute(delete(jobs).where(*ended))
            return True

        return self._database.write(change)

    def submit_anew(self, job: Job) -> int | None:
        """The number of a new submission, after that of `job` ended without a result; None if another server
        was faster."""
        statement = (
            update(jobs)
            .where(jobs.c.id == job.id, jobs.c.submission == job.submission, jobs.c.state.in_(OPEN))
            .values(submission=jobs.c.submission + 1)
            .returning(jobs.c.submission)
        )
        return self._database.write(lambda connection: connection.execute(statement).scalar_one_or_none())

    def _move(self, job: Job, transition: Transition, **values: Any) -> bool:
        """Whether the transition was possible for that attempt."""
        own = jobs.c.attempt == job.attempt
        return self._database.write(lambda c: _moved(c, job.id, transition, own, **values)) is not None

    def _accept(self, connection: Connection, order: NewJob) -> Job:
        is_open = jobs.c.state.in_(OPEN)
        own = connection.scalar(select(func.count()).where(is_open, jobs.c.owner == order.owner)) or 0
        if own >= self._max_open_of_owner:
            raise TooManyOpenOfOwner(own)
        if (connection.scalar(select(func.count()).where(is_open)) or 0) >= self._max_open:
            raise TooManyOpen
        if not _has_case(connection, order):
            raise InputsRemoved
        _use(connection, order.owner, order.case_id, order.plan_id)
        self._forget_oldest(connection)
        accepted = (
            jobs.insert()
            .values(
                id=order.id,
                owner=order.owner,
                case_id=order.case_id,
                kind=order.kind,
                asked=order.asked,
                plan_id=order.plan_id,
                state=State.QUEUED,
                attempt=0,
                losses=0,
                submission=0,
                fraction=0.0,
                last_event=1,
                created_s=time.time(),
            )
            .returning(jobs)
        )
        row = _row(connection, accepted)
        assert row is not None
        _note(connection, row)
        if order.key is not None:
            used = {"owner": order.owner, "key": order.key, "fingerprint": order.fingerprint}
            connection.execute(requests.insert(), used | {"job_id": order.id, "created_s": time.time()})
        return _job(row)

    def _forget_oldest(self, connection: Connection) -> None:
        """Delete the jobs that ended longest ago, unless their Idempotency-Key is remembered; their results
        stay."""
        last_kept = (
            select(jobs.c.ended_s)
            .where(jobs.c.state.in_(FINAL))
            .order_by(jobs.c.ended_s.desc())
            .offset(self._max_finished)
            .limit(1)
            .scalar_subquery()
        )
        conditions = jobs.c.state.in_(FINAL), jobs.c.ended_s <= last_kept, jobs.c.id.not_in(_keyed())
        connection.execute(delete(jobs).where(*conditions))


def _keyed() -> Select[tuple[str]]:
    """The jobs whose Idempotency-Keys are remembered."""
    return select(requests.c.job_id).where(requests.c.created_s >= time.time() - KEEP_KEYS_S)


def _recorded(connection: Connection, order: NewJob) -> Job | None:
    """The job with this id, if it was recorded already: a transaction whose result was lost runs again."""
    row = _row(connection, select(jobs).where(jobs.c.id == order.id))
    return None if row is None else _job(row)


def _known(connection: Connection, order: NewJob) -> Job | None:
    """The job that an Idempotency-Key was used for. Raises KeyReused where it came with another request."""
    if order.key is None:
        return None
    connection.execute(delete(requests).where(requests.c.created_s < time.time() - KEEP_KEYS_S))
    used = requests.c.owner == order.owner, requests.c.key == order.key
    row = connection.execute(select(requests).where(*used)).one_or_none()
    if row is None:
        return None
    if row.fingerprint != order.fingerprint:
        raise KeyReused
    return _jobs(connection, select(jobs).where(jobs.c.id == row.job_id))[0]


def _has_case(connection: Connection, order: NewJob) -> bool:
    """Whether all files are certainly there: those of the plan, if the job is about one, and those of the
    case, because its owner holds the case or the plan made from it."""
    if order.plan_id is not None:
        made_from = case_ids(connection, order.owner, ResultKind.PLAN, order.plan_id)
        if not made_from or order.case_id in made_from:
            return bool(made_from)
    return bool(case_ids(connection, order.owner, CASE, order.case_id))


def _use(connection: Connection, owner: str, case_id: str, plan_id: str | None) -> None:
    """Record a use of the case and the plan of a job, where its owner holds them."""
    record_use(connection, owner, CASE, case_id)
    if plan_id is not None:
        record_use(connection, owner, ResultKind.PLAN, plan_id)


def _moved(
    connection: Connection, job_id: str, transition: Transition, *only: ColumnElement[bool], **values: Any
) -> dict[str, Any] | None:
    """The job's row after `transition`; None where the transition is not allowed, or a condition of `only` is
    false."""
    where = (jobs.c.id == job_id, jobs.c.state.in_(states_before(transition)), *only)
    values |= {"state": state_after(transition), "last_event": jobs.c.last_event + 1}
    changed = update(jobs).where(*where).values(values).returning(jobs)
    row = _row(connection, changed)
    if row is not None:
        _note(connection, row)
    return row


def _note(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(
        job_events.insert(),
        {
            "job_id": row["id"],
            "number": row["last_event"],
            "state": row["state"],
            "phase": row["phase"],
            "fraction": row["fraction"],
            "left_s": row["left_s"],
            "at_s": time.time(),
        },
    )


def _is_attempt(job: Job) -> tuple[ColumnElement[bool], ...]:
    return jobs.c.id == job.id, jobs.c.state == State.RUNNING, jobs.c.attempt == job.attempt


def _row(connection: Connection, statement: Executable) -> dict[str, Any] | None:
    """The one row, by its columns' names, or None."""
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else {str(name): value for name, value in row.items()}


def _jobs(connection: Connection, statement: Executable) -> list[Job]:
    return [_job(dict(row)) for row in connection.execute(statement).mappings()]


def _job(row: dict[str, Any]) -> Job:
    problem = None if row["problem"] is None else json.loads(row["problem"])
    return Job(**{**row, "kind": ResultKind(row["kind"]), "state": State(row["state"]), "problem": problem})


def _text(report: Report) -> str:
    return json.dumps(report.to_json(), ensure_ascii=False)
