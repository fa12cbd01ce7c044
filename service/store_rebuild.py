"""Store rebuild: rows for what is kept, where the database is lost.

Files say what they are, and what they were made from; they do not say whose they are. So all is given to one
owner, who is named. Jobs, and who held what, are lost with the database.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, exists, select

from anatomy.errors import AnatomyError
from service.case_of_plan import is_made_from
from service.database.connection import Database
from service.database.tables import holdings
from service.holdings import CASE, LOCK, hold
from service.keeper import Keeper
from service.made import Kind
from service.plan_json import Unreadable, read_kept_plan
from service.problems import Problem
from service.quota import Quota
from service.results_json import read_evaluation, read_replanned
from service.store import Store, StoredCase
from service.strict_json import NotJson, Refused
from service.summary_schema import summary_text

NO_CASE = "the case that it was made from is not there, or damaged. Bring it back, then rebuild with --add."
NO_PLAN = "the plan that it is about is not there, or damaged. Bring it back, then rebuild with --add."


@dataclass(frozen=True)
class Row:
    """What an owner is to hold: `made_s` is when its file was written, in seconds since 1970."""

    made_s: float
    kind: str
    id: str
    case_id: str
    summary: str | None = None


@dataclass
class Rows:
    """The rows that files tell of, and a sentence for each file that gets none."""

    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def rebuild(store: Store, database: Database, owner: str, *, add: bool) -> Rows:
    """Have `owner` hold all that is kept and whole. What he holds already stays as it is.

    Raises AnatomyError where the database has rows and they are not to be added to; OSError, and
    database.connection.Unavailable.
    """
    if not add and database.read(lambda c: c.scalar(select(exists().select_from(holdings)))):
        raise AnatomyError(
            "store rebuild",
            "the database has rows already, which say who holds what",
            "Say --add to give the owner all files beside them, or name another database.",
        )
    found = rows_of(store)

    def change(connection: Connection) -> None:
        # In the order in which they were made, as lists tell them.
        for row in sorted(found.rows, key=lambda row: row.made_s):
            hold(connection, owner, row.kind, row.id, row.case_id, row.summary, row.made_s)

    database.write(change, LOCK)
    # Beside a server that runs, it counts at once what its owner keeps.
    Keeper(database, store, Quota(sys.maxsize)).weigh()
    return found


def rows_of(store: Store) -> Rows:
    """The rows that the files of a store tell of. Raises OSError."""
    found = Rows()
    cases = [case for id in store.case_ids() if (case := _case(store, id, found)) is not None]
    made_from = {id: _cases_of_plan(store, id, cases, found) for id in store.result_ids(Kind.PLAN)}
    for kind in (Kind.EVALUATION, Kind.REPLAN):
        for id in store.result_ids(kind):
            _add_result(store, kind, id, made_from, found)
    return found


def _case(store: Store, id: str, found: Rows) -> StoredCase | None:
    if not store.is_whole(id):
        found.left_out.append(f"{store.place(CASE, id)}: it is damaged; `seedpath store check` says how.")
        return None
    found.rows.append(Row(store.made_s(CASE, id), CASE, id, id))
    return store.case(id)


def _cases_of_plan(store: Store, id: str, cases: Sequence[StoredCase], found: Rows) -> Sequence[str]:
    """The cases that a plan was made from, each of which gets a row."""
    try:
        plan = read_kept_plan(store.kept(Kind.PLAN, id), id)
    except Problem as error:
        found.left_out.append(error.report.detail)
        return ()
    except Unreadable as error:
        found.left_out.append(f"{store.place(Kind.PLAN, id)}: {error.value}. {error.remedy}")
        return ()
    fitting = [case.record["id"] for case in cases if is_made_from(plan, case)]
    if not fitting:
        found.left_out.append(f"{store.place(Kind.PLAN, id)}: {NO_CASE}")
    summary, made_s = summary_text(plan), store.made_s(Kind.PLAN, id)
    found.rows += [Row(made_s, Kind.PLAN, id, case_id, summary) for case_id in fitting]
    return fitting


def _add_result(
    store: Store, kind: Kind, id: str, made_from: Mapping[str, Sequence[str]], found: Rows
) -> None:
    try:
        text = store.kept(kind, id)
        result = (read_evaluation if kind is Kind.EVALUATION else read_replanned)(text)
    except Problem as error:
        found.left_out.append(error.report.detail)
        return
    except (NotJson, Refused) as error:
        found.left_out.append(f"{store.place(kind, id)}: it cannot be read back: {error}")
        return
    fitting = made_from.get(result.plan_sha256, ())
    if not fitting:
        found.left_out.append(f"{store.place(kind, id)}: {NO_PLAN}")
    found.rows += [Row(store.made_s(kind, id), kind, id, case_id) for case_id in fitting]
