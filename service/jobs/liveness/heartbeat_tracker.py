"""HeartbeatTracker: how long each of many has not been heard, as told by one who looks again and again.

What beats gives some value that changes while it lives: a count, a time of its own clock, CPU time used. Only
its changes matter, so that clocks need not agree, and may be set.
"""

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace

CHECK_EVERY_S = 1.0
"""How often is looked [U]."""

MOST_GAP_S = 2.0 * CHECK_EVERY_S
"""What one look counts for at most [U]. Who did not look for longer, on a machine that is starved or stopped,
cannot say that others were silent meanwhile."""


@dataclass(frozen=True)
class LastHeard:
    """When a value was last seen to change.

    `silent_s` is the time since, and `watched_s` the part of it in which somebody looked: the first says that
    nothing is heard, and only the second that there was nothing to hear.
    """

    beat: Hashable
    changed_s: float
    silent_s: float = 0.0
    watched_s: float = 0.0


class HeartbeatTracker:
    """For one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked_s = clock()
        self._heard: dict[str, LastHeard] = {}

    def update(self, beats: Mapping[str, Hashable]) -> dict[str, LastHeard]:
        """How each of those that are there is heard; who is not there any more is forgotten."""
        now = self._clock()
        gap_s, self._looked_s = min(now - self._looked_s, MOST_GAP_S), now
        self._heard = {name: self._next(name, beat, now, gap_s) for name, beat in beats.items()}
        return self._heard

    def _next(self, name: str, beat: Hashable, now: float, gap_s: float) -> LastHeard:
        known = self._heard.get(name)
        if known is None or known.beat != beat:
            return LastHeard(beat, now)
        return replace(known, silent_s=now - known.changed_s, watched_s=known.watched_s + gap_s)
