"""Bounds: the range that a number of a record has by what it is.

The markers are those of annotated-types. They change nothing where a record is made; whoever reads a record
from outside holds its numbers to them.
"""

from typing import Annotated

from annotated_types import Ge, Interval

Count = Annotated[int, Ge(0)]
NonNegative = Annotated[float, Ge(0.0)]
Percent = Annotated[float, Interval(ge=0.0, le=100.0)]
Share = Annotated[float, Interval(ge=0.0, le=1.0)]
