"""Progress and the question "go on?": the planner's only view of the clock and of cancellation."""

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
    """How far a phase, or the whole, has come, 0.0 to 1.0, with what is done within the phase, in a few words
    for a person; empty where the phase says it all."""

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
"""About how the time of planning a whole chest is shared out among the phases [U]."""


class Cancelled(Exception):
    """The caller withdrew the request: there is no plan."""


GoOn = Callable[[Progress], bool]
"""Called often. False means: time is up, return the best so far. To cancel, raise Cancelled."""


class PlanProgress:
    """A GoOn to which phases tell how far each has come; passed on is how far the whole has come.

    Neither fraction nor phase ever goes back, though a search within a later phase tells of itself as the
    first one did. `phases` are those to come; the whole is done when the last of them is.
    """

    def __init__(self, go_on: GoOn, phases: Collection[Phase]) -> None:
        self._go_on, self._parts = go_on, sum(TIME_SHARES[phase] for phase in phases)
        self._order = [phase for phase in Phase if phase in phases]
        self._at, self._fraction = 0, 0.0

    def __call__(self, progress: Progress) -> bool:
        """Pass it on, and the answer back. A phase that is not among those to come keeps the place."""
        at = self._order.index(progress.phase) if progress.phase in self._order else -1
        before = sum(TIME_SHARES[phase] for phase in self._order[: max(at, 0)])
        within = TIME_SHARES[progress.phase] * min(1.0, max(0.0, progress.fraction))
        # What an earlier phase tells is told of a part of the present one.
        if at >= self._at:
            self._at, self._fraction = at, max(self._fraction, (before + within) / self._parts)
        return self._go_on(replace(progress, phase=self._order[self._at], fraction=self._fraction))


def part_of(go_on: GoOn, first: float, last: float) -> GoOn:
    """A GoOn for a step within another: its whole is from `first` to `last` of the other's."""
    return lambda p: go_on(replace(p, fraction=first + (last - first) * p.fraction))


def always(progress: Progress) -> bool:
    """A GoOn without any limit."""
    del progress
    return True
