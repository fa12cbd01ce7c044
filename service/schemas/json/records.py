"""Records: how pydantic reads the planner's frozen dataclasses as they are, strictly.

A record is its own schema: its fields, their types and the bounds at them. Where JSON asks for something else
of it, a strict class extends the record by that; what is kept in memory is the record.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from pydantic import ConfigDict, GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
"""No unknown field, no conversion of types, no NaN: for a strict class, and for all records that it holds."""

adapter: Callable[[Any], TypeAdapter[Any]] = functools.cache(TypeAdapter)
"""What validates a model or a strict class, and states its JSON Schema; made once for each."""


def record_of(strict: Any) -> Any:
    """The record that a strict class extends, with the values that stand in both."""
    record: Any = type(strict).__base__
    return record(**{field.name: getattr(strict, field.name) for field in fields(record)})


@dataclass(frozen=True)
class ReadAs:
    """Marks a type that JSON has in another form: it is read and described as `form`, and kept as what
    `to_value` makes of that."""

    form: Any
    to_value: Callable[[Any], Any] = record_of

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic asks a mark for the schema of what it marks."""
        return no_info_after_validator_function(self.to_value, handler(self.form))
