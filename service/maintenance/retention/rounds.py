"""Rounds: removes what is due, a limited number at once, by one server of a data folder at a time."""

import contextlib
import fcntl
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Connection, select

from planner.records.wording.number_text import counted
from service.host.periodic_thread import PeriodicThread
from service.host.timestamp import rfc3339
from service.jobs.job_table import JobTable
from service.logs.audit import settle
from service.logs.json_lines import AUDIT
from service.logs.rotation import rotated_files
from service.maintenance.retention.due import Due, HoldingRow, ItemKey, due
from service.maintenance.retention.grace import GracePeriod
from service.maintenance.retention.policy import Policy, before_s
from service.schemas.result_kinds import CASE, ResultKind
from service.storage.database.connection import Database
from service.storage.database.tables import holdings, jobs, sizes
from service.storage.errors import StorageError, Unavailable
from service.storage.job_states import OPEN
from service.storage.library import Library
from service.storage.ownership import LAST_USED, has_results, last_used_s

EVERY_S = 3600.0
"""Time between two rounds [U]."""

PAUSE_S = 10.0
"""Time between two rounds if more is due [U]."""

MOST_AT_ONCE = 100
"""Items removed in one round: each is a transaction for which requests wait [U]."""

JOB, LOG = "jobs", "audit"
"""Kinds of removed items besides cases and results."""

_log = logging.getLogger("seedpath.retention")


class StillUsed(Exception):
    """It was used since it was found to be due."""


class Retention:
    """Applies a policy to one data folder and its records. `clock_s` gives seconds since 1970."""

    def __init__(
        self,
        database: Database,
        library: Library,
        job_table: JobTable,
        audit: Path,
        policy: Policy,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._database, self._library, self._job_table = database, library, job_table
        self._audit, self._policy, self._clock_s = audit, policy, clock_s

    def due(self) -> list[Due]:
        """Everything that must be removed now, in order. Raises OSError and
        database.connection.Unavailable."""
        rows, working, bytes = self._database.read(_rows)

        def size(kind: str, id: str) -> int:
            return bytes.get((kind, id), 0)

        due_items = due(rows, working, size, self._policy, self._clock_s())
        return due_items + self._due_jobs() + self._due_logs()

    def remove(self, most: int | None = MOST_AT_ONCE) -> tuple[list[Due], bool]:
        """Remove some of it, or all; returns what went, and whether more is due. Each has a line in the audit
        log, which the disk has before it goes.

        Raises OSError, also where no line can be written, and database.connection.Unavailable.
        """
        went: list[Due] = []
        for item in self.due():
            if most is not None and len(went) >= most:
                return went, True
            if self._remove_if_unused(item):
                went.append(item)
        return went, False

    def _remove_if_unused(self, item: Due) -> bool:
        try:
            if item.kind == CASE:
                self._library.remove_case(item.owner, item.id, lambda c: _note_unused(c, item))
            elif item.kind == JOB:
                return self._job_table.forget(item.id, lambda: _note(item))
            elif item.kind == LOG:
                _note(item)
                self._audit.with_name(item.id).unlink(missing_ok=True)
            else:
                kind = ResultKind(item.kind)
                self._library.remove_result(item.owner, kind, item.id, lambda c: _note_unused(c, item))
        except (StillUsed, StorageError):
            # It is used again, or gone already.
            return False
        return True

    def _due_jobs(self) -> list[Due]:
        before = before_s(self._clock_s(), self._policy.keep_jobs_days)
        ended = () if before is None else self._job_table.ended_before(before)
        return [Due(job.owner, JOB, job.id, job.ended_s or before or 0.0, "keep_jobs_days") for job in ended]

    def _due_logs(self) -> list[Due]:
        files = rotated_files(self._audit)
        before = before_s(self._clock_s(), self._policy.keep_audit_days)
        old_files = [one for one in files if before is not None and one.at_s < before]
        due_logs = [Due("", LOG, one.path.name, one.at_s, "keep_audit_days") for one in old_files]
        most = self._policy.max_bytes_of_audit
        if most is not None:
            other_files = files[len(old_files) :]
            total = sum(one.path.stat().st_size for one in other_files)
            for one in other_files:
                if total <= most:
                    break
                total -= one.path.stat().st_size
                due_logs.append(Due("", LOG, one.path.name, one.at_s, "max_bytes_of_audit"))
        return due_logs


class RetentionRounds:
    """The rounds of one server: at its start, and at regular times. None if the policy is empty."""

    def __init__(self, retention: Retention, policy: Policy, data_dir: Path) -> None:
        self._retention, self._policy, self._data_dir = retention, policy, data_dir
        self._grace = GracePeriod(data_dir, policy)
        self._periodic_thread = PeriodicThread("seedpath-retention", self._look_in_time, PAUSE_S)
        self._next_s = 0.0

    def start(self) -> None:
        """Start; returns at once."""
        if not self._policy.is_empty:
            self._periodic_thread.start()

    def close(self) -> None:
        """Stop after the removal in progress, if that does not take long."""
        self._periodic_thread.close()

    def look(self) -> bool:
        """One round; returns whether more is due."""
        with _alone(self._data_dir) as is_first:
            if not is_first:
                return False
            left_s = self._grace.left_s()
            if left_s > 0.0:
                due_count = len(self._retention.due())
                if due_count > 0:
                    _log.warning(
                        "Retention: %s in %.0f h, by settings or a clock that may have changed. `seedpath "
                        "store prune --dry-run` lists them.",
                        f"{counted(due_count, 'thing goes', 'things go')}",
                        left_s / 3600.0,
                    )
                return False
            removed, is_more = self._retention.remove()
        if removed:
            _log.info("Retention: %s", counted(len(removed), "thing went", "things went"))
        return is_more

    def _look_in_time(self) -> None:
        if time.monotonic() < self._next_s:
            return
        # Set before the round: a round that fails is repeated at the next regular time.
        self._next_s = time.monotonic() + EVERY_S
        try:
            if self.look():
                self._next_s = 0.0
        except (OSError, Unavailable) as error:
            _log.warning("Retention waits: %s", error)


def _rows(connection: Connection) -> tuple[list[HoldingRow], set[ItemKey], dict[tuple[str, str], int]]:
    """What is held, what open jobs work on, and sizes in bytes by kind and id."""
    query = select(holdings.c.owner, holdings.c.kind, holdings.c.id, holdings.c.case_id, LAST_USED)
    works = select(jobs.c.owner, jobs.c.case_id, jobs.c.plan_id).where(jobs.c.state.in_(OPEN))
    working: set[ItemKey] = set()
    for owner, case_id, plan_id in connection.execute(works):
        working.add((owner, CASE, case_id))
        if plan_id is not None:
            working.add((owner, ResultKind.PLAN, plan_id))
    bytes = {(kind, id): size for kind, id, size in connection.execute(select(sizes))}
    return [HoldingRow(*row) for row in connection.execute(query)], working, bytes


def _note_unused(connection: Connection, item: Due) -> None:
    """Write the line before the item is removed: nothing is removed without one. Raises StillUsed where it is
    needed, by what the library does not look at."""
    last_s = last_used_s(connection, item.owner, item.kind, item.id)
    if last_s != item.last_used_s or (item.kind == CASE and has_results(connection, item.owner, item.id)):
        raise StillUsed
    _note(item)


def _note(item: Due) -> None:
    """The audit log's line of something that goes. Raises OSError where the disk does not have it."""
    # First the waiting lines: a removal that is refused then needs no line.
    settle()
    fields = {"owner": item.owner or None, "setting": item.setting, "last_used": rfc3339(item.last_used_s)}
    AUDIT.info("RETENTION %s/%s", item.kind, item.id, extra={"fields": fields})
    settle()


@contextlib.contextmanager
def _alone(data_dir: Path) -> Iterator[bool]:
    """Whether no other server makes a round; none does while the context lasts."""
    with (data_dir / "retention.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
