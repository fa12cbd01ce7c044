"""Keeper: rows and files together: what an owner asks to add, see or remove."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, exists, select

from service.database.connection import Database
from service.database.tables import jobs
from service.holdings import CASE, LOCK, Holding, case_ids, hold, is_case_needed, is_held, let_go, listed
from service.jobs.states import OPEN
from service.made import Kind
from service.problems import problem
from service.store import Store, StoredCase, is_id, no_such, no_such_case


class Keeper:
    """Cases and results, each seen only by who holds it.

    Every method may raise database.connection.Unavailable, and those that write OSError.
    """

    def __init__(self, database: Database, store: Store) -> None:
        self._database = database
        self._store = store

    def hold_case(self, owner: str, case_id: str) -> StoredCase | None:
        """Have `owner` hold a case whose files are there; None where they are not."""

        def change(connection: Connection) -> bool:
            if not self._store.has_case(case_id):
                return False
            hold(connection, owner, CASE, case_id, case_id)
            return True

        return self._store.case(case_id) if self._database.write(change, LOCK) else None

    def add_case(self, owner: str, folder: Path, record: dict[str, Any]) -> StoredCase:
        """Take in a case made aside, with its record, which holds its id."""

        def change(connection: Connection) -> StoredCase:
            stored = self._store.add_case(folder, record)
            hold(connection, owner, CASE, record["id"], record["id"])
            return stored

        return self._database.write(change, LOCK)

    def case(self, owner: str, case_id: str) -> StoredCase:
        """A case. Raises Problem when `owner` holds none of that id."""
        if not is_id(case_id) or not self._database.read(lambda c: case_ids(c, owner, CASE, case_id)):
            raise no_such_case()
        return self._store.case(case_id)

    def remove_case(self, owner: str, case_id: str) -> None:
        """Have `owner` hold a case no more. Its files go with it, unless something made from it is held.

        Raises Problem when he does not hold it, or a job of his works on it.
        """
        # Else he would hold it no more, and its files would stay.
        self._store.refuse_writes_that_fail()

        def change(connection: Connection) -> None:
            own_job = exists().where(jobs.c.owner == owner, jobs.c.case_id == case_id, jobs.c.state.in_(OPEN))
            held = case_ids(connection, owner, CASE, case_id)
            if held and connection.scalar(select(own_job)):
                raise problem("conflict", "A job works on this case. Cancel it first, or wait for its end.")
            if not let_go(connection, owner, CASE, case_id):
                raise no_such_case()

        self._database.write(change, LOCK)
        self._drop_unneeded((case_id,))

    def result(self, owner: str, kind: Kind, result_id: str) -> bytes:
        """The text of a result. Raises Problem when `owner` holds none of that id."""
        if not self.cases_of(owner, kind, result_id):
            raise no_such(kind)
        return self._store.kept(kind, result_id)

    def remove_result(self, owner: str, kind: Kind, result_id: str) -> None:
        """Have `owner` hold a result no more. Its file goes when nobody does; so do files of cases that only
        results still needed. Raises Problem when he does not hold it, or a job of his works on it."""
        self._store.refuse_writes_that_fail()

        def change(connection: Connection) -> tuple[str, ...]:
            held = case_ids(connection, owner, kind, result_id) if is_id(result_id) else ()
            about = jobs.c.owner == owner, jobs.c.plan_id == result_id, jobs.c.state.in_(OPEN)
            if held and kind is Kind.PLAN and connection.scalar(select(exists().where(*about))):
                raise problem("conflict", "A job works on this plan. Cancel it first, or wait for its end.")
            if not held:
                raise no_such(kind)
            return let_go(connection, owner, kind, result_id)

        made_from = self._database.write(change, LOCK)

        def drop(connection: Connection) -> None:
            if not is_held(connection, kind, result_id):
                self._store.remove(kind, result_id)

        self._database.write(drop, LOCK)
        self._drop_unneeded(made_from)

    def cases_of(self, owner: str, kind: Kind, result_id: str) -> tuple[str, ...]:
        """The cases that a result of `owner` was made from."""
        if not is_id(result_id):
            return ()
        return self._database.read(lambda c: case_ids(c, owner, kind, result_id))

    def listed(
        self, owner: str, kind: str, before: int | None, most: int, case_id: str | None = None
    ) -> Sequence[Holding]:
        """What `owner` holds of a kind, newest first, from below the number `before`; all, or of one case."""
        return self._database.read(lambda c: listed(c, owner, kind, before, most, case_id))

    def stored(self, case_id: str) -> StoredCase:
        """A case's files, for something made from it. Raises Problem when they are not there."""
        return self._store.case(case_id)

    def _drop_unneeded(self, cases: Sequence[str]) -> None:
        """Files go once it is settled that no row needs them: a row without its files would be a loss, files
        without a row are none."""

        def drop(connection: Connection) -> None:
            for case_id in cases:
                if not is_case_needed(connection, case_id):
                    self._store.remove_case(case_id)

        self._database.write(drop, LOCK)
