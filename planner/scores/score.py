"""What a score is: a number read off a path's named quantities, lower for the better path."""

from collections.abc import Callable
from dataclasses import dataclass

from planner.measuring.measured import MeasuredPath
from planner.records.paths import Path

Quantities = MeasuredPath | Path
"""A line as measured, or a path of a plan: both name the same quantities."""


@dataclass(frozen=True)
class Score:
    """A named score. `of` gives its value for a path, lower is better; `source` says what it rests on."""

    name: str
    of: Callable[[Quantities], float]
    source: str
