"""Store rebuild: creates rows for what is stored, if the database or some of its rows are lost.

Files say what they are and from what they were made, but not who owns them. So everything that nobody holds
is given to one owner, who is named. Jobs and former owners are lost with the database. A damaged item also
gets a row if it is known from what it was made: it is then answered as damaged, and the same upload or
request repairs it.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, exists, select

from anatomy.errors import AnatomyError
from planner.records.plan import Plan
from service.host.damaged_file import CASE_REMEDY, MISSING
from service.schemas.json.strict import NotJson, Refused
from service.schemas.plan.file import UnreadablePlanFile, read_kept_plan
from service.schemas.plan.followup_file import read_evaluation, read_replanned
from service.schemas.plan_summary import summary_text
from service.schemas.result_kinds import CASE, ResultKind
from service.storage.case_of_plan import is_made_from
from service.storage.database.connection import Database
from service.storage.database.tables import holdings
from service.storage.errors import StorageError
from service.storage.file_store import Store, StoredCase
from service.storage.library import Library
from service.storage.ownership import LOCK, grant, is_needed, record_use
from service.storage.quota import Quota

AGAIN = "Bring it back, then rebuild with --add."
NO_CASE = f"the case that it was made from is not there, or damaged. {AGAIN}"
NO_PLAN = (
    f"the plan that it is about is not there, or damaged. {AGAIN} Where its owner removed that plan, nothing "
    "tells which case it is of."
)
OF_OTHERS = (
    "others hold the case that it was made from. Have its owner upload that case first, or name one of those "
    "as --owner."
)


@dataclass(frozen=True)
class RebuiltRow:
    """What an owner is to hold: `written_s` is when its file was written, in seconds since 1970."""

    written_s: float
    kind: str
    id: str
    case_id: str
    summary: str | None = None


@dataclass
class Rows:
    """The rows that follow from the files, and a sentence for each file without a row, by its kind and id."""

    rows: list[RebuiltRow] = field(default_factory=list)
    left_out: dict[tuple[str, str], str] = field(default_factory=dict)


def rebuild(store: Store, database: Database, owner: str, *, add: bool) -> Rows:
    """Have `owner` hold all that is kept and nobody holds, and no more: what others hold is theirs, and so
    is what was made from a case that only others hold.

    Raises AnatomyError where the database has rows and they are not to be added to; OSError, and
    database.connection.Unavailable.
    """
    if not add and database.read(lambda c: c.scalar(select(exists().select_from(holdings)))):
        raise AnatomyError(
            "store rebuild",
            "the database has rows already, which say who holds what",
            "Say --add to give the owner what nobody holds, or name another database.",
        )
    rows = rows_of(store)

    def change(connection: Connection) -> Rows:
        def is_free(kind: str, id: str) -> bool:
            return store.has(kind, id) and not is_needed(connection, kind, id)

        # Looked at under the lock: files come and go beside a server that runs.
        free = [row for row in rows.rows if is_free(row.kind, row.id)]
        left_out = {item: problem for item, problem in rows.left_out.items() if is_free(*item)}
        others = {row.case_id for row in free if _is_of_others(connection, owner, row.case_id)}
        # In the order of creation, as lists show them.
        added = sorted((row for row in free if row.case_id not in others), key=lambda row: row.written_s)
        for row in added:
            grant(connection, owner, row.kind, row.id, row.case_id, row.summary, row.written_s)
            # The last use is not known: do not treat the item as unused since its creation.
            record_use(connection, owner, row.kind, row.id)
        for row in free:
            if not is_needed(connection, row.kind, row.id):
                left_out[row.kind, row.id] = f"{store.place(row.kind, row.id)}: {OF_OTHERS}"
        return Rows(added, left_out)

    added = database.write(change, LOCK)
    # If a server runs, its sums of owners are right at once.
    Library(database, store, Quota(sys.maxsize)).update_sizes()
    return added


def _is_of_others(connection: Connection, owner: str, case_id: str) -> bool:
    own = exists().where(holdings.c.owner == owner, holdings.c.case_id == case_id)
    return is_needed(connection, CASE, case_id) and not connection.scalar(select(own))


def rows_of(store: Store) -> Rows:
    """The rows that the files of a store tell of. Raises OSError."""
    rows = Rows()
    cases = [case for id in store.case_ids() if (case := _case(store, id, rows)) is not None]
    made_from = {id: _cases_of_plan(store, id, cases, rows) for id in store.result_ids(ResultKind.PLAN)}
    for kind in (ResultKind.EVALUATION, ResultKind.REPLAN):
        for id in store.result_ids(kind):
            _add_result(store, kind, id, cases, made_from, rows)
    return rows


def _case(store: Store, id: str, rows: Rows) -> StoredCase | None:
    """A case, which gets a row, damaged or not; None where it cannot be told what was made from it."""
    if not store.is_there(id):
        rows.left_out[CASE, id] = f"{store.place(CASE, id)}: {MISSING}. {CASE_REMEDY}"
        return None
    rows.rows.append(RebuiltRow(store.written_s(CASE, id), CASE, id, id))
    try:
        case = store.case(id)
    except StorageError:
        return None
    return case if case.record.get("description") is not None else None


def _cases_of_plan(store: Store, id: str, cases: Sequence[StoredCase], rows: Rows) -> Sequence[str]:
    """The cases that a plan was made from, each of which gets a row."""
    try:
        plan = read_kept_plan(store.kept(ResultKind.PLAN, id), id)
    except StorageError as error:
        rows.left_out[ResultKind.PLAN, id] = str(error)
        return ()
    except UnreadablePlanFile as error:
        rows.left_out[ResultKind.PLAN, id] = (
            f"{store.place(ResultKind.PLAN, id)}: {error.value}. {error.remedy}"
        )
        return ()
    fitting = _fitting(plan, cases)
    if not fitting:
        rows.left_out[ResultKind.PLAN, id] = f"{store.place(ResultKind.PLAN, id)}: {NO_CASE}"
    summary, written_s = summary_text(plan), store.written_s(ResultKind.PLAN, id)
    rows.rows += [RebuiltRow(written_s, ResultKind.PLAN, id, case_id, summary) for case_id in fitting]
    return fitting


def _add_result(
    store: Store,
    kind: ResultKind,
    id: str,
    cases: Sequence[StoredCase],
    made_from: Mapping[str, Sequence[str]],
    rows: Rows,
) -> None:
    try:
        about, within = _read(kind, store.kept(kind, id))
    except StorageError as error:
        rows.left_out[kind, id] = str(error)
        return
    except (NotJson, Refused) as error:
        rows.left_out[kind, id] = f"{store.place(kind, id)}: it cannot be read back: {error}"
        return
    # The plan within was made from the same case.
    fitting = made_from.get(about) or ([] if within is None else _fitting(within, cases))
    if not fitting:
        rows.left_out[kind, id] = f"{store.place(kind, id)}: {NO_PLAN}"
    rows.rows += [RebuiltRow(store.written_s(kind, id), kind, id, case_id) for case_id in fitting]


def _read(kind: ResultKind, text: bytes) -> tuple[str, Plan | None]:
    """The sha256 of the plan that an evaluation or a replanning is about, and the plan within it."""
    if kind is ResultKind.EVALUATION:
        evaluation = read_evaluation(text)
        return evaluation.plan_sha256, evaluation.supplement
    replanned = read_replanned(text)
    return replanned.plan_sha256, replanned.plan


def _fitting(plan: Plan, cases: Sequence[StoredCase]) -> list[str]:
    return [case.record["id"] for case in cases if is_made_from(plan, case)]
