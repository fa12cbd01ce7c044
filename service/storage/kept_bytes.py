"""Kept bytes: what each owner keeps, as a running sum.

For an owner, each item that the owner holds counts once, and every case from which any of it was made. An
item that two owners hold counts for each. Sums change in the transaction that changes a holding or a size,
under the lock of `service.storage.ownership`: after any transaction they equal what `recount` finds.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, insert, literal, select, update

from service.schemas.result_kinds import CASE
from service.storage.database.tables import holdings, owners, sizes

Thing = tuple[str, str]
"""Kind and id of a case or a result."""


def kept_bytes(connection: Connection, owner: str) -> int:
    """The bytes that `owner` keeps."""
    return connection.scalar(select(owners.c.kept_bytes).where(owners.c.owner == owner)) or 0


def size_of(connection: Connection, kind: str, id: str) -> int:
    """The bytes that a case or a result took when it was stored; 0 if not known."""
    return connection.scalar(select(sizes.c.bytes).where(*_is_size(kind, id))) or 0


def known_sizes(connection: Connection) -> Mapping[Thing, int]:
    """The sizes of all items with a known size."""
    rows = connection.execute(select(sizes.c.kind, sizes.c.id, sizes.c.bytes)).all()
    return {(kind, id): bytes for kind, id, bytes in rows}


def note_size(connection: Connection, kind: str, id: str, bytes: int) -> None:
    """Record the size of a case or a result in the store, for all its owners."""
    before = connection.scalar(select(sizes.c.bytes).where(*_is_size(kind, id)))
    if before == bytes:
        return
    if before is None:
        connection.execute(insert(sizes), {"kind": kind, "id": id, "bytes": bytes})
    else:
        connection.execute(update(sizes).where(*_is_size(kind, id)).values(bytes=bytes))
    counted = select(holdings.c.owner).where(_counts_for(kind, id))
    grown = {"kept_bytes": owners.c.kept_bytes + bytes - (before or 0)}
    connection.execute(update(owners).where(owners.c.owner.in_(counted)).values(grown))


def note_grown(connection: Connection, kind: str, id: str, bytes: int) -> None:
    """Record the size of a result, unless a larger one is recorded: its map may have been stored with it
    before."""
    if size_of(connection, kind, id) < bytes:
        note_size(connection, kind, id, bytes)


def forget_size(connection: Connection, kind: str, id: str) -> None:
    """Delete the size of an item that nobody needs and whose files are removed."""
    connection.execute(delete(sizes).where(*_is_size(kind, id)))


def counted(connection: Connection, owner: str, things: Iterable[Thing]) -> set[Thing]:
    """Those of `things` that count for `owner`."""
    return {item for item in things if counts(connection, owner, *item)}


def counts(connection: Connection, owner: str, kind: str, id: str) -> bool:
    """Whether an item counts for `owner`: a case also counts if the owner only holds something made from
    it."""
    holds = holdings.c.owner == owner, _counts_for(kind, id)
    return bool(connection.scalar(select(exists().where(*holds))))


def add(connection: Connection, owner: str, things: Iterable[Thing], sign: int = 1) -> None:
    """Let items count for `owner`; with a sign of -1, no longer."""
    query = (connection.scalar(select(sizes.c.bytes).where(*_is_size(*item))) for item in things)
    grown = sign * sum(bytes or 0 for bytes in query)
    changed = update(owners).where(owners.c.owner == owner)
    updated = connection.execute(changed.values(kept_bytes=owners.c.kept_bytes + grown))
    if updated.rowcount == 0:
        connection.execute(insert(owners), {"owner": owner, "kept_bytes": grown})


def unsized(connection: Connection) -> Sequence[Thing]:
    """Held items, and the cases from which they were made, without a size: rows of an earlier version."""
    own = select(holdings.c.kind, holdings.c.id)
    needed = own.union(select(literal(CASE), holdings.c.case_id)).subquery()
    kind, id = needed.c
    unknown = ~exists().where(sizes.c.kind == kind, sizes.c.id == id)
    return [(kind, id) for kind, id in connection.execute(select(kind, id).where(unknown))]


def recount(connection: Connection) -> Mapping[str, int]:
    """What each owner keeps, from the rows alone; owners who keep nothing may be missing."""
    own = select(holdings.c.owner, holdings.c.kind, holdings.c.id)
    made_from = select(holdings.c.owner, literal(CASE), holdings.c.case_id)
    needed = own.union(made_from).subquery()
    owner, kind, id = needed.c
    query = (
        select(owner, func.sum(sizes.c.bytes))
        .select_from(needed.join(sizes, and_(sizes.c.kind == kind, sizes.c.id == id)))
        .group_by(owner)
    )
    return {name: int(bytes) for name, bytes in connection.execute(query)}


def set_right(connection: Connection) -> int:
    """Set all sums to what `recount` finds; returns how many were wrong."""
    right = recount(connection)
    recorded = {
        name: bytes for name, bytes in connection.execute(select(owners.c.owner, owners.c.kept_bytes))
    }
    wrong = [name for name in right.keys() | recorded.keys() if right.get(name, 0) != recorded.get(name, 0)]
    for name in wrong:
        connection.execute(delete(owners).where(owners.c.owner == name))
        connection.execute(insert(owners), {"owner": name, "kept_bytes": right.get(name, 0)})
    return len(wrong)


def _is_size(kind: str, id: str) -> tuple[ColumnElement[bool], ...]:
    return sizes.c.kind == kind, sizes.c.id == id


def _counts_for(kind: str, id: str) -> ColumnElement[bool]:
    """Condition on a holding: whether it lets that item count for its owner."""
    # A case's own row names it as the case it was made from.
    return holdings.c.case_id == id if kind == CASE else and_(holdings.c.kind == kind, holdings.c.id == id)
