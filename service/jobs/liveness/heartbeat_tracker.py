"""Heartbeat tracker: how long each of several sources has been silent, as an observer that checks regularly
sees it.

A source gives some value that changes while it is alive: a count, a time of its own clock, processor time
used. Only changes matter, so clocks need not agree, and may be set.
"""

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace

CHECK_EVERY_S = 1.0
"""Time between two checks [U]."""

MOST_GAP_S = 2.0 * CHECK_EVERY_S
"""The most that one check adds to the watched time [U]. An observer that made no check for longer, on a
machine that is overloaded or was stopped, cannot know that others were silent meanwhile."""


@dataclass(frozen=True)
class LastHeard:
    """When a value last changed.

    `silent_s` is the time since then; `watched_s` is the part of it in which the observer made its checks.
    The first tells that no change was seen, only the second that there was none.
    """

    beat: Hashable
    changed_s: float
    silent_s: float = 0.0
    watched_s: float = 0.0


class HeartbeatTracker:
    """The last changes of all sources. For one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked_s = clock()
        self._heard: dict[str, LastHeard] = {}

    def update(self, beats: Mapping[str, Hashable]) -> dict[str, LastHeard]:
        """Record the present values; sources that are not among them are dropped."""
        now_s = self._clock()
        gap_s, self._looked_s = min(now_s - self._looked_s, MOST_GAP_S), now_s
        self._heard = {name: self._next(name, beat, now_s, gap_s) for name, beat in beats.items()}
        return self._heard

    def _next(self, name: str, beat: Hashable, now_s: float, gap_s: float) -> LastHeard:
        previous = self._heard.get(name)
        if previous is None or previous.beat != beat:
            return LastHeard(beat, now_s)
        return replace(previous, silent_s=now_s - previous.changed_s, watched_s=previous.watched_s + gap_s)
