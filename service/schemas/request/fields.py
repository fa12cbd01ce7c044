"""Request fields: names, dates, whole numbers."""

import contextlib
import re
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from anatomy.names.did_you_mean import did_you_mean
from planner.records.bounds import Name
from service.schemas.json.messages import shown
from service.schemas.json.ranges import MAX_NAMES


def known_as(known: Sequence[str]) -> AfterValidator:
    """A validator of names: each must be one of those known."""

    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"{shown(name)} is not known. {did_you_mean(name, known)}")
        return name

    return AfterValidator(check)


def each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names; refused if one is there twice."""
    earlier: set[str] = set()
    for name in names:
        if name in earlier:
            raise ValueError(f"{name!r} is named twice. Name each once.")
        earlier.add(name)
    return names


def kind_of(value: Any) -> str:
    """Which member of a union a value is; these tags cannot be names in a document by chance."""
    if value is None:
        return "<null>"
    if isinstance(value, str):
        return "<one>"
    if isinstance(value, dict):
        return "<table>"
    return "<many>" if isinstance(value, list | tuple) else "<other>"


def _iso_date(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        with contextlib.suppress(ValueError):
            return date.fromisoformat(value)
    raise ValueError(f'{shown(value)} is not a date. Give year, month and day in quotes: "2026-03-31".')


def _whole(value: Any) -> Any:
    """20.0 counts as a whole number: JSON Schema says so, and some languages write it so."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
UNIQUE: dict[str, Any] = {"uniqueItems": True}
"""What `each_once` asks, for OpenAPI."""
Names = Annotated[
    tuple[Name, ...],
    Field(min_length=1, max_length=MAX_NAMES, json_schema_extra=UNIQUE),
    AfterValidator(each_once),
]
NamesOrNone = Annotated[
    tuple[Name, ...], Field(max_length=MAX_NAMES, json_schema_extra=UNIQUE), AfterValidator(each_once)
]
IsoDate = Annotated[date, BeforeValidator(_iso_date)]
