"""Library: rows and files together: what an owner adds, sees or removes."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, exists, select

from planner.records.wording.number_text import counted
from service.problems import type_of
from service.schemas.result_kinds import CASE, ResultKind
from service.storage.database.connection import Database
from service.storage.database.tables import holdings, jobs
from service.storage.errors import InUse, NotHeld, StorageError
from service.storage.file_store import Store, StoredCase, bytes_in, is_id
from service.storage.job import Job
from service.storage.job_states import OPEN, State
from service.storage.kept_bytes import counts, forget_size, kept_bytes, note_size, set_right, size_of, unsized
from service.storage.ownership import (
    LOCK,
    Holding,
    case_ids,
    everything,
    grant,
    is_case_needed,
    is_held,
    is_needed,
    listed,
    revoke,
)
from service.storage.quota import Quota

_log = logging.getLogger("seedpath.store")


class Library:
    """Cases and results; each owner sees only what that owner holds.

    Every method may raise database.connection.Unavailable, and those that write OSError.
    """

    def __init__(self, database: Database, store: Store, quota: Quota) -> None:
        self._database = database
        self._store = store
        self._quota = quota

    def grant_case(self, owner: str, case_id: str) -> tuple[StoredCase, bool] | None:
        """Let `owner` hold a case whose files are there. Returns the case, and whether the owner did not hold
        it before; None if its files are missing or damaged. Raises QuotaExceeded if the owner may not keep
        more."""
        # Before the transaction, because hashing may take a while.
        if not self._store.is_whole(case_id):
            return None

        def change(connection: Connection) -> bool | None:
            if not self._store.is_there(case_id):
                return None
            if not counts(connection, owner, CASE, case_id):
                size = self._store.case_bytes(case_id)
                self._quota.refuse_more(connection, owner, size)
                note_size(connection, CASE, case_id, size)
            return grant(connection, owner, CASE, case_id, case_id)

        is_new = self._database.write(change, LOCK, needed=False)
        return None if is_new is None else (self._store.case(case_id), is_new)

    def add_case(self, owner: str, folder: Path, record: dict[str, Any]) -> StoredCase:
        """Add a case that was created aside, with its record, which contains its id.

        Raises QuotaExceeded if `owner` may not keep more.
        """
        size = bytes_in(folder)

        def change(connection: Connection) -> StoredCase:
            if not counts(connection, owner, CASE, record["id"]):
                self._quota.refuse_more(connection, owner, size)
            stored = self._store.add_case(folder, record)
            note_size(connection, CASE, record["id"], self._store.case_bytes(record["id"]))
            grant(connection, owner, CASE, record["id"], record["id"])
            return stored

        return self._database.write(change, LOCK, needed=False)

    def case(self, owner: str, case_id: str) -> StoredCase:
        """A case. Raises NotHeld when `owner` holds none of that id, and DamagedInStore."""
        self.refuse_unheld(owner, case_id)
        try:
            return self._store.case(case_id)
        except StorageError:
            # Files are removed after their row: a case that was removed meanwhile is not damaged.
            self.refuse_unheld(owner, case_id)
            raise

    def refuse_unheld(self, owner: str, case_id: str) -> None:
        """Raises NotHeld when `owner` holds no case of that id."""
        if not is_id(case_id) or not self._database.read(lambda c: case_ids(c, owner, CASE, case_id)):
            raise NotHeld(CASE)

    def remove_case(
        self, owner: str, case_id: str, refuse: Callable[[Connection], None] | None = None
    ) -> None:
        """Let `owner` no longer hold a case. Its files are removed, unless something made from it is held.

        Raises NotHeld, InUse if a job of that owner uses it, and what `refuse` raises, which sees the records
        as they are at the removal.
        """
        # Otherwise the row would be gone, and the files would stay.
        self._store.refuse_removals_that_fail()

        def change(connection: Connection) -> None:
            own_job = exists().where(jobs.c.owner == owner, jobs.c.case_id == case_id, jobs.c.state.in_(OPEN))
            case_rows = case_ids(connection, owner, CASE, case_id)
            if case_rows and connection.scalar(select(own_job)):
                raise InUse(CASE)
            if case_rows and refuse is not None:
                refuse(connection)
            if not revoke(connection, owner, CASE, case_id):
                raise NotHeld(CASE)

        self._database.write(change, LOCK)
        self._drop_unneeded((case_id,))

    def result(self, owner: str, kind: ResultKind, result_id: str) -> bytes:
        """The text of a result. Raises NotHeld, and DamagedInStore."""
        self.refuse_unheld_result(owner, kind, result_id)
        try:
            return self._store.kept(kind, result_id)
        except StorageError:
            # The file is removed after its row: a result that was removed meanwhile is not damaged.
            self.refuse_unheld_result(owner, kind, result_id)
            raise

    def refuse_unheld_result(self, owner: str, kind: ResultKind, result_id: str) -> None:
        """Raises NotHeld when `owner` holds no result of that id."""
        if not self.cases_of(owner, kind, result_id):
            raise NotHeld(kind)

    def access(self, owner: str, plan_id: str) -> bytes:
        """The skin access map of a plan. Raises NotHeld, NoAccessMap, and DamagedInStore."""
        self.refuse_unheld_result(owner, ResultKind.PLAN, plan_id)
        kept_bytes = self._database.read(lambda c: size_of(c, ResultKind.PLAN, plan_id))
        try:
            return self._store.access(plan_id, kept_bytes)
        except StorageError:
            # As for a result.
            self.refuse_unheld_result(owner, ResultKind.PLAN, plan_id)
            raise

    def is_lost(self, connection: Connection, job: Job) -> bool:
        """Whether the result of an ended job was lost by damage or a full disk: the job failed for that
        reason, or its result is held and is not what was written. If it is requested again, it is done
        again."""
        if job.state is State.FAILED:
            lost_types = type_of("damaged"), type_of("no-room")
            return job.problem is not None and job.problem["type"] in lost_types
        results = ((job.kind, job.result_id), (ResultKind.PLAN, job.result_plan_id))
        return job.state is State.DONE and any(
            id is not None
            and bool(case_ids(connection, job.owner, kind, id))
            and not self._store.is_kept(kind, id, size_of(connection, kind, id))
            for kind, id in results
        )

    def remove_result(
        self,
        owner: str,
        kind: ResultKind,
        result_id: str,
        refuse: Callable[[Connection], None] | None = None,
    ) -> None:
        """Let `owner` no longer hold a result. Its file is removed if nobody holds it; so are files of cases
        that only results still needed.

        Raises NotHeld, InUse if a job of that owner uses it, and what `refuse` raises, which sees the records
        as they are at the removal.
        """
        self._store.refuse_removals_that_fail()

        def change(connection: Connection) -> tuple[str, ...]:
            case_rows = case_ids(connection, owner, kind, result_id) if is_id(result_id) else ()
            about = jobs.c.owner == owner, jobs.c.plan_id == result_id, jobs.c.state.in_(OPEN)
            if case_rows and kind is ResultKind.PLAN and connection.scalar(select(exists().where(*about))):
                raise InUse(kind)
            if not case_rows:
                raise NotHeld(kind)
            if refuse is not None:
                refuse(connection)
            return revoke(connection, owner, kind, result_id)

        made_from = self._database.write(change, LOCK)

        def drop(connection: Connection) -> None:
            if not is_held(connection, kind, result_id):
                self._store.remove(kind, result_id)
                forget_size(connection, kind, result_id)

        self._database.write(drop, LOCK)
        self._drop_unneeded(made_from)

    def cases_of(self, owner: str, kind: ResultKind, result_id: str) -> tuple[str, ...]:
        """The cases from which a result of `owner` was made."""
        if not is_id(result_id):
            return ()
        return self._database.read(lambda c: case_ids(c, owner, kind, result_id))

    def kept_bytes(self, owner: str) -> int:
        """The bytes that `owner` keeps."""
        return self._database.read(lambda c: kept_bytes(c, owner))

    def listed(
        self, owner: str, kind: str, before: int | None, most: int, case_id: str | None = None
    ) -> Sequence[Holding]:
        """What `owner` holds of a kind with a number below `before`, newest first; all, or of one case."""
        return self._database.read(lambda c: listed(c, owner, kind, before, most, case_id))

    def stored(self, case_id: str) -> StoredCase:
        """A case's files, for something made from it. Raises StorageError when they are not there."""
        return self._store.case(case_id)

    def orphans(self) -> list[tuple[str, str]]:
        """Kind and id of all items whose files exist and which nobody needs: rows are lost, or a server was
        killed between files and rows."""
        owned = self._database.read(everything)
        unowned = [item for item in self._store.things() if item not in owned]

        def look_again(connection: Connection) -> list[tuple[str, str]]:
            # Under the lock of rows and files, no file lacks its row for a moment.
            return [t for t in unowned if self._store.has(*t) and not is_needed(connection, *t)]

        return self._database.write(look_again, LOCK) if unowned else []

    def update_sizes(self) -> None:
        """Find the sizes that no row states, of items of an earlier version, and correct all sums of owners.
        Files are measured before the transaction, so that nobody waits for that."""
        sizes = [(kind, id, self._bytes(kind, id)) for kind, id in self._database.read(unsized)]

        def change(connection: Connection) -> int:
            for kind, id, bytes in sizes:
                # Files that are not here may still arrive.
                if bytes > 0:
                    note_size(connection, kind, id, bytes)
            return set_right(connection)

        wrong = self._database.write(change, LOCK)
        if wrong > 0:
            _log.info("what %s keep was counted again", counted(wrong, "owner"))

    def _bytes(self, kind: str, id: str) -> int:
        return self._store.case_bytes(id) if kind == CASE else self._store.result_bytes(ResultKind(kind), id)

    def _drop_unneeded(self, cases: Sequence[str]) -> None:
        """Remove files after it is certain that no row needs them: a row without its files would be a loss,
        files without a row are none."""

        def drop(connection: Connection) -> None:
            for case_id in cases:
                if not is_case_needed(connection, case_id):
                    self._store.remove_case(case_id)
                    forget_size(connection, CASE, case_id)

        self._database.write(drop, LOCK)


def is_about_another_folder(connection: Connection, store: Store) -> bool:
    """Whether the database has cases whose files are not in this store."""
    known_ids = connection.scalars(select(holdings.c.case_id).distinct())
    return not all(store.is_there(case_id) for case_id in known_ids)
