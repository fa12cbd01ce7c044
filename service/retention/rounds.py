"""Rounds: what is due goes, a bounded number at once, by one server of a data folder at a time."""

import contextlib
import fcntl
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Connection, select

from planner.number_text import counted
from service.audit import refuse_unnoted
from service.database.connection import Database, Unavailable
from service.database.tables import holdings, jobs
from service.holdings import CASE
from service.jobs.book import Book
from service.jobs.states import OPEN
from service.keeper import Keeper
from service.logs import AUDIT
from service.made import Kind
from service.problems import Problem
from service.retention.due import Due, Held, Worked, due
from service.retention.grace import Grace
from service.retention.policy import Policy, before_s
from service.rotation import put_by
from service.stamp import stamp
from service.store import Store

EVERY_S = 3600.0
"""Between two rounds [U]."""

PAUSE_S = 10.0
"""Between two rounds where more is due [U]."""

MOST_AT_ONCE = 100
"""Things that go in one round: each is a transaction for which orders wait [U]."""

JOB, LOG = "jobs", "audit"
"""Kinds of what goes, beside cases and results."""

_log = logging.getLogger("seedpath.retention")


class Used(Exception):
    """It was used since it was found to be due."""


class Retention:
    """What a policy asks for, of one data folder and its records. `clock_s` tells seconds since 1970."""

    def __init__(
        self,
        database: Database,
        store: Store,
        keeper: Keeper,
        book: Book,
        audit: Path,
        policy: Policy,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._database, self._store, self._keeper, self._book = database, store, keeper, book
        self._audit, self._policy, self._clock_s = audit, policy, clock_s

    def due(self) -> list[Due]:
        """All that is to go now, in order. Raises OSError and database.connection.Unavailable."""
        held, worked = self._database.read(_rows)
        found = due(held, worked, self._size, self._policy, self._clock_s())
        return found + self._due_jobs() + self._due_logs()

    def remove(self, most: int = MOST_AT_ONCE) -> tuple[list[Due], bool]:
        """Remove some of it; returns what went, and whether more is due. Each has a line in the audit log.

        Raises OSError and database.connection.Unavailable.
        """
        found = self.due()
        return [one for one in found[:most] if self._is_removed(one)], len(found) > most

    def _is_removed(self, one: Due) -> bool:
        try:
            if one.kind == CASE:
                self._keeper.remove_case(one.owner, one.id, lambda c: self._note(c, one))
            elif one.kind == JOB:
                return self._book.forget(one.id, lambda: _note(one))
            elif one.kind == LOG:
                _note(one)
                self._audit.with_name(one.id).unlink(missing_ok=True)
            else:
                kind = Kind(one.kind)
                self._keeper.remove_result(one.owner, kind, one.id, lambda c: self._note(c, one))
        except (Used, Problem):
            # It is used again, or gone already.
            return False
        return True

    def _note(self, connection: Connection, one: Due) -> None:
        """Write the line before it goes: there is none that goes without. Raises Used where it is needed."""
        held, worked = _rows(connection, one.owner)
        policy = _ALL_CASES if one.kind == CASE else _ALL_RESULTS
        free = due(held, worked, self._size, policy, self._clock_s())
        if not any((t.kind, t.id, t.last_used_s) == (one.kind, one.id, one.last_used_s) for t in free):
            raise Used
        _note(one)

    def _size(self, kind: str, id: str) -> int:
        is_case = kind == CASE
        return self._store.case_bytes(id) if is_case else self._store.result_bytes(Kind(kind), id)

    def _due_jobs(self) -> list[Due]:
        before = before_s(self._clock_s(), self._policy.keep_jobs_days)
        ended = () if before is None else self._book.ended_before(before)
        return [Due(job.owner, JOB, job.id, job.ended_s or before or 0.0, "keep_jobs_days") for job in ended]

    def _due_logs(self) -> list[Due]:
        files = put_by(self._audit)
        before = before_s(self._clock_s(), self._policy.keep_audit_days)
        old = [one for one in files if before is not None and one.at_s < before]
        found = [Due("", LOG, one.path.name, one.at_s, "keep_audit_days") for one in old]
        most = self._policy.max_bytes_of_audit
        if most is not None:
            rest = files[len(old) :]
            total = sum(one.path.stat().st_size for one in rest)
            for one in rest:
                if total <= most:
                    break
                total -= one.path.stat().st_size
                found.append(Due("", LOG, one.path.name, one.at_s, "max_bytes_of_audit"))
        return found


class Rounds:
    """Rounds of one server: at its start, and again and again. Where the policy is empty there are none."""

    def __init__(self, retention: Retention, policy: Policy, data_dir: Path) -> None:
        self._retention, self._policy, self._data_dir = retention, policy, data_dir
        self._grace = Grace(data_dir, policy)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="seedpath-retention", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        if not self._policy.is_empty:
            self._thread.start()

    def close(self) -> None:
        """End after what is being removed."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> bool:
        """One round; returns whether more is due."""
        with _alone(self._data_dir) as is_first:
            if not is_first:
                return False
            left_s = self._grace.left_s()
            if left_s > 0.0:
                found = len(self._retention.due())
                if found > 0:
                    _log.warning(
                        "Retention: %s in %.0f h, by settings or a clock that may have changed. `seedpath "
                        "store prune --dry-run` lists them.",
                        f"{counted(found, 'thing goes', 'things go')}",
                        left_s / 3600.0,
                    )
                return False
            gone, is_more = self._retention.remove()
        if gone:
            _log.info("Retention: %s", counted(len(gone), "thing went", "things went"))
        return is_more

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                is_more = self.look()
            except (OSError, Unavailable) as error:
                _log.warning("Retention waits: %s", error)
                is_more = False
            self._ended.wait(PAUSE_S if is_more else EVERY_S)


_ALL_CASES, _ALL_RESULTS = Policy(keep_cases_days=-1.0), Policy(keep_plans_days=-1.0)
"""By which whatever nothing needs is due."""


def _rows(connection: Connection, owner: str | None = None) -> tuple[list[Held], list[Worked]]:
    """What is held, and jobs: all, or those of an owner."""
    kept = select(holdings.c.owner, holdings.c.kind, holdings.c.id, holdings.c.case_id, holdings.c.created_s)
    works = select(jobs)
    if owner is not None:
        kept, works = kept.where(holdings.c.owner == owner), works.where(jobs.c.owner == owner)
    held = [Held(*row) for row in connection.execute(kept)]
    worked = [
        Worked(
            job.owner,
            job.case_id,
            tuple(id for id in (job.plan_id, job.result_id, job.result_plan_id) if id is not None),
            job.ended_s or job.created_s,
            job.state in OPEN,
        )
        for job in connection.execute(works)
    ]
    return held, worked


def _note(one: Due) -> None:
    """The audit log's line of something that goes. Raises Problem where it could not be kept."""
    refuse_unnoted("DELETE")
    fields = {"owner": one.owner or None, "setting": one.setting, "last_used": stamp(one.last_used_s)}
    AUDIT.info("RETENTION %s/%s", one.kind, one.id, extra={"fields": fields})


@contextlib.contextmanager
def _alone(data_dir: Path) -> Iterator[bool]:
    """Whether no other server is at it; none is while the context lasts."""
    with (data_dir / "retention.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
