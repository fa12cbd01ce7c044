"""Progress and the question "go on?": the planner's only view of the clock and of cancellation."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """The steps of planning, in order."""

    FIELDS = "fields"
    SEARCH = "search"
    POLISH = "polish"
    EXPLAIN = "explain"
    NEEDLES = "needles"
    DOSE = "dose"
    VERIFY = "verify"


@dataclass(frozen=True)
class Progress:
    """How far a phase has come, 0.0 to 1.0, with a short text for a person."""

    phase: Phase
    fraction: float
    text: str


class Cancelled(Exception):
    """The caller withdrew the request: there is no plan."""


GoOn = Callable[[Progress], bool]
"""Called often. False means: time is up, return the best so far. To cancel, raise Cancelled."""


def always(progress: Progress) -> bool:
    """A GoOn without any limit."""
    del progress
    return True
