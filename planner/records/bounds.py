"""Bounds: the range of a record's number, by what the number is.

The markers are those of annotated-types. Making a record does not check them; code that reads a record from
outside does.
"""

from typing import Annotated

from annotated_types import Ge, Interval

Count = Annotated[int, Ge(0)]
NonNegative = Annotated[float, Ge(0.0)]
Percent = Annotated[float, Interval(ge=0.0, le=100.0)]
Share = Annotated[float, Interval(ge=0.0, le=1.0)]
