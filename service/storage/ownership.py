"""Ownership: which owner may see which case, plan or result. What nobody holds is visible to nobody.

Cases and results are named by their content, so two owners may hold the same file. A file is removed when its
last owner gives it up. A case's files stay as long as anything made from it is held.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, Connection, delete, exists, func, select, update

from service.schemas.result_kinds import CASE, ResultKind
from service.storage.database.tables import holdings, jobs
from service.storage.job_states import OPEN
from service.storage.kept_bytes import add, counted

LOCK = "store"
"""Held while a file of the store and its row are added or removed together."""


@dataclass(frozen=True)
class Holding:
    """One item that an owner holds; `number` grows with time. `summary` is that of a plan, as JSON."""

    number: int
    id: str
    case_id: str
    created_s: float
    summary: str | None


def grant(
    connection: Connection,
    owner: str,
    kind: str,
    id: str,
    case_id: str,
    summary: str | None = None,
    created_s: float | None = None,
) -> bool:
    """Let `owner` hold an item, as of a time in seconds since 1970, or now; returns whether that is new. If
    the owner holds it already, this records a use."""
    is_new = not case_ids(connection, owner, kind, id, case_id=case_id)
    if is_new:
        things = {(kind, id), (CASE, case_id)}
        add(connection, owner, things - counted(connection, owner, things))
        row = {"owner": owner, "kind": kind, "id": id, "case_id": case_id, "summary": summary}
        connection.execute(
            holdings.insert(), row | {"created_s": time.time() if created_s is None else created_s}
        )
    else:
        record_use(connection, owner, kind, id)
    return is_new


def record_use(connection: Connection, owner: str, kind: str, id: str) -> None:
    """Record that `owner` uses an item now, if the owner holds it: so it is known what has not been used for
    long."""
    connection.execute(update(holdings).where(*_is(owner, kind, id)).values(used_s=time.time()))


LAST_USED = func.coalesce(holdings.c.used_s, holdings.c.created_s)
"""When an item was last used, in seconds since 1970: its creation is the first use."""


def last_used_s(connection: Connection, owner: str, kind: str, id: str) -> float | None:
    """When `owner` last used an item; None if the owner does not hold it."""
    return connection.scalar(select(func.max(LAST_USED)).where(*_is(owner, kind, id)))


def has_results(connection: Connection, owner: str, case_id: str) -> bool:
    """Whether `owner` holds anything made from a case."""
    conditions = holdings.c.owner == owner, holdings.c.case_id == case_id, holdings.c.kind != CASE
    return bool(connection.scalar(select(exists().where(*conditions))))


def case_ids(
    connection: Connection, owner: str, kind: str, id: str, case_id: str | None = None
) -> tuple[str, ...]:
    """The cases from which an item of `owner` was made, or only that one; empty if the owner does not hold
    it."""
    query = select(holdings.c.case_id).where(*_is(owner, kind, id)).order_by(holdings.c.number)
    if case_id is not None:
        query = query.where(holdings.c.case_id == case_id)
    return tuple(connection.scalars(query))


def listed(
    connection: Connection, owner: str, kind: str, before: int | None, most: int, case_id: str | None
) -> Sequence[Holding]:
    """What `owner` holds of a kind with a number below `before`, newest first; all, or of one case."""
    columns = (holdings.c[field.name] for field in fields(Holding))
    query = select(*columns).where(holdings.c.owner == owner, holdings.c.kind == kind)
    if before is not None:
        query = query.where(holdings.c.number < before)
    if case_id is not None:
        query = query.where(holdings.c.case_id == case_id)
    rows = connection.execute(query.order_by(holdings.c.number.desc()).limit(most))
    return [Holding(*row) for row in rows]


def summarise(connection: Connection, id: str, summary: str) -> None:
    """Record the summary of a plan for all its owners."""
    connection.execute(
        update(holdings)
        .where(holdings.c.kind == ResultKind.PLAN, holdings.c.id == id)
        .values(summary=summary)
    )


def revoke(connection: Connection, owner: str, kind: str, id: str) -> tuple[str, ...]:
    """Let `owner` no longer hold an item. Returns the cases from which it was made; empty if the owner did
    not hold it."""
    case_rows = case_ids(connection, owner, kind, id)
    if case_rows:
        connection.execute(delete(holdings).where(*_is(owner, kind, id)))
        things = {(kind, id), *((CASE, case_id) for case_id in case_rows)}
        add(connection, owner, things - counted(connection, owner, things), sign=-1)
    return case_rows


def everything(connection: Connection) -> set[tuple[str, str]]:
    """Kind and id of everything that anybody holds, and of the cases from which it was made."""
    query = select(holdings.c.kind, holdings.c.id, holdings.c.case_id)
    rows = connection.execute(query).all()
    return {(kind, id) for kind, id, _ in rows} | {(CASE, case_id) for _, _, case_id in rows}


def is_held(connection: Connection, kind: str, id: str) -> bool:
    """Whether anybody holds it."""
    return bool(connection.scalar(select(exists().where(holdings.c.kind == kind, holdings.c.id == id))))


def is_case_needed(connection: Connection, case_id: str) -> bool:
    """Whether a held item or an open job needs the case's files."""
    works = exists().where(jobs.c.case_id == case_id, jobs.c.state.in_(OPEN))
    return bool(connection.scalar(select(works | exists().where(holdings.c.case_id == case_id))))


def is_needed(connection: Connection, kind: str, id: str) -> bool:
    """Whether anybody needs the files of a case or a result."""
    return is_case_needed(connection, id) if kind == CASE else is_held(connection, kind, id)


def _is(owner: str, kind: str, id: str) -> tuple[ColumnElement[bool], ...]:
    return holdings.c.owner == owner, holdings.c.kind == kind, holdings.c.id == id
