"""Shape: whether the tables are those that this software needs, whatever the database's revision says.

Each column, type, key and constraint is compared. There may be other tables, and the operator may have added
indexes that are not unique: neither changes what is recorded.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from anatomy.errors import AnatomyError
from service.storage.database.address import SETTING
from service.storage.database.tables import metadata

MOST_TOLD = 5
"""Differences that an error message names."""

_MEANINGS = {
    "add_table": "table {0} is missing",
    "add_column": "column {0} is missing",
    "remove_column": "column {0} is too many",
    "add_index": "index {0} is missing",
    "remove_index": "index {0} is too many",
    "add_constraint": "constraint {0} is missing",
    "remove_constraint": "constraint {0} is too many",
    "add_fk": "foreign key {0} is missing",
    "remove_fk": "foreign key {0} is too many",
    "modify_type": "column {0} is of another type",
    "modify_nullable": "column {0} is null or not where the other is meant",
    "modify_default": "column {0} has another default",
}


def refuse_other_shape(connection: Connection) -> None:
    """Raises AnatomyError, which names what is different."""
    differing = differences(connection)
    if differing:
        rest = f" and {len(differing) - MOST_TOLD} more" if len(differing) > MOST_TOLD else ""
        raise AnatomyError(
            SETTING,
            f"the database's tables are not those of this version: {', '.join(differing[:MOST_TOLD])}{rest}",
            "It was made by a version that was never released, or changed by hand. Bring back a backup, or "
            "name another database; files in the data folder stay.",
        )


def differences(connection: Connection) -> list[str]:
    """What is different, each in a few words."""
    options = {"include_object": _is_ours, "compare_type": True}
    context = MigrationContext.configure(connection, opts=options)
    entries = compare_metadata(context, metadata)
    return sorted({*_sentences(entries), *_keys(connection)})


def _is_ours(item: Any, name: str | None, kind: str, reflected: bool, counterpart: Any) -> bool:
    if not reflected or counterpart is not None:
        return True
    return kind != "table" and not (kind == "index" and not item.unique)


def _sentences(differing: Sequence[Any]) -> Iterator[str]:
    for difference in differing:
        # Changes of one column come as a list.
        for kind, *about in difference if isinstance(difference, list) else [difference]:
            yield _MEANINGS.get(kind, kind).format(_name(kind, about))


def _name(kind: str, about: Sequence[Any]) -> str:
    if kind.startswith("modify"):
        _, table, column, *_ = about
        return f"{table}.{column}"
    if kind.endswith("column"):
        _, table, column = about
        return f"{table}.{column.name}"
    item = about[0]
    name = item.name or ", ".join(column.name for column in item.columns)
    return name if kind.endswith("table") else f"{name} of {item.table.name}"


def _keys(connection: Connection) -> Iterator[str]:
    """Primary keys, which Alembic does not compare."""
    inspector = inspect(connection)
    tables = set(inspector.get_table_names())
    for table in metadata.sorted_tables:
        if table.name in tables:
            key = inspector.get_pk_constraint(table.name)["constrained_columns"]
            if key != [column.name for column in table.primary_key.columns]:
                yield f"table {table.name} has another primary key"
