"""Records: how pydantic reads the planner's frozen dataclasses directly and strictly.

A record is its own schema: its fields, their types and the bounds of these. If JSON has another form of a
record, a strict class extends the record with that form; in memory the value is the record.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from pydantic import ConfigDict, GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
"""No unknown field, no conversion of types, no NaN: for a strict class, and for all records in it."""

adapter: Callable[[Any], TypeAdapter[Any]] = functools.cache(TypeAdapter)
"""The validator of a model or a strict class, with its JSON Schema; made once for each."""


def record_of(strict: Any) -> Any:
    """The record that a strict class extends, with the values of the fields of both."""
    record: Any = type(strict).__base__
    return record(**{field.name: getattr(strict, field.name) for field in fields(record)})


@dataclass(frozen=True)
class ReadAs:
    """Marks a type that has another form in JSON: it is read and described as `form`, and stored as the
    result of `to_value`."""

    form: Any
    to_value: Callable[[Any], Any] = record_of

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema of the marked type, for pydantic."""
        return no_info_after_validator_function(self.to_value, handler(self.form))
