"""Conversion of a model of the edge to the planner's record: field by field, by name, including nested
ones."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import BaseModel

Record = TypeVar("Record")


def to_record(model: BaseModel, record: type[Record]) -> Record:
    """The record of this type with the model's values. Both have the same fields."""
    hints = get_type_hints(record)
    return record(**{name: _value(value, hints[name]) for name, value in model})


def optional_record(model: BaseModel | None, record: type[Record]) -> Record | None:
    """The record, or None for None."""
    return None if model is None else to_record(model, record)


def _value(value: Any, hint: Any) -> Any:
    if isinstance(value, BaseModel):
        return to_record(value, next(_records_in(hint)))
    if isinstance(value, tuple):
        return tuple(_value(item, hint) for item in value)
    if isinstance(value, dict):
        return {name: _value(item, hint) for name, item in value.items()}
    return value


def _records_in(hint: Any) -> Iterator[type]:
    """The records that a type consists of: the items of a list, a table or a union."""
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
    for inner in get_args(hint):
        yield from _records_in(inner)
