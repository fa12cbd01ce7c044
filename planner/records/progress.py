"""Progress, and whether to continue: the planner's only access to the clock and to cancellation."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
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
    """The progress of a phase, or of the whole plan, from 0.0 to 1.0. `text` describes the present step of
    the phase in a few words; it may be empty."""

    phase: Phase
    fraction: float
    text: str


TIME_SHARES = {
    Phase.FIELDS: 4,
    Phase.SEARCH: 30,
    Phase.POLISH: 4,
    Phase.EXPLAIN: 4,
    Phase.NEEDLES: 40,
    Phase.DOSE: 12,
    Phase.VERIFY: 6,
}
"""Approximate relative time of each phase in planning a whole chest [U]."""


class Cancelled(Exception):
    """The caller cancelled the request: there is no plan."""


GoOn = Callable[[Progress], bool]
"""Called often. False: the time is up, return the best result so far. To cancel, raise Cancelled."""


class PlanProgress:
    """A GoOn that turns the progress of each phase into that of the whole plan.

    Fraction and phase never go back, although a search within a later phase reports the phase of the first
    search. `phases` are those of the plan; the plan is done when the last of them is.
    """

    def __init__(self, go_on: GoOn, phases: Collection[Phase]) -> None:
        self._go_on, self._parts = go_on, sum(TIME_SHARES[phase] for phase in phases)
        self._order = [phase for phase in Phase if phase in phases]
        self._at, self._fraction = 0, 0.0

    def __call__(self, progress: Progress) -> bool:
        """Report the progress of the whole plan and return the answer. A phase that is not among `phases`
        does not change it."""
        at = self._order.index(progress.phase) if progress.phase in self._order else -1
        before = sum(TIME_SHARES[phase] for phase in self._order[: max(at, 0)])
        within = TIME_SHARES[progress.phase] * min(1.0, max(0.0, progress.fraction))
        # A report of an earlier phase comes from a part of the present one: it does not change the progress.
        if at >= self._at:
            self._at, self._fraction = at, max(self._fraction, (before + within) / self._parts)
        return self._go_on(replace(progress, phase=self._order[self._at], fraction=self._fraction))


def part_of(go_on: GoOn, first: float, last: float) -> GoOn:
    """A GoOn for a part of another step: its progress runs from `first` to `last` of that step."""
    return lambda p: go_on(replace(p, fraction=first + (last - first) * p.fraction))


def always(progress: Progress) -> bool:
    """A GoOn without a limit."""
    del progress
    return True
