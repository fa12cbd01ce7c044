"""Bounds: the range of a record's number, by what the number is or by what makes sense.

The markers are those of annotated-types. Making a record does not check them; code that reads a record from
outside does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, GroupedMetadata, Interval, Le, Len

Count = Annotated[int, Ge(0)]
NonNegative = Annotated[float, Ge(0.0)]
Percent = Annotated[float, Interval(ge=0.0, le=100.0)]
Share = Annotated[float, Interval(ge=0.0, le=1.0)]

Name = Annotated[str, Len(1, 200)]
"""The name of a structure, a path or a score; the longest in characters is a setting [U]."""


@dataclass(frozen=True)
class Description:
    """What is said of a number beside its bounds."""

    text: str

    def __get_pydantic_json_schema__(
        self, core_schema: Any, handler: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        """How pydantic asks a mark for its part of a JSON Schema."""
        return handler(core_schema) | {"description": self.text}


@dataclass(frozen=True)
class Limit(GroupedMetadata):
    """A closed range in `unit`, and the reason for its limits: for a number that somebody gives.

    Such ranges find mistakes (cm for mm, a missing zero) and prevent requests of unlimited size; they are
    settings [U] unless a reason names a source.
    """

    low: float
    high: float
    unit: str
    reason: str

    def sentence(self) -> str:
        """The range and its reason, for an error message."""
        unit = f" {self.unit}" if self.unit else ""
        return f"from {self.low:.10g} to {self.high:.10g}{unit}: {self.reason}"

    def __iter__(self) -> Iterator[object]:
        """The bounds and the description, as annotated-types asks a group of marks for its members."""
        yield from (Ge(self.low), Le(self.high))
        yield Description(f"{self.unit}; {self.reason}".removeprefix("; "))
