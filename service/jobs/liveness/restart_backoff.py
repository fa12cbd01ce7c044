"""Restart backoff: how long a worker may be silent before it is restarted.

Restarts do not help a machine that has too little processor time. So each restart doubles the time before the
next, until all workers have been well for a while. Workers that are lost together, for example with their
machine, count as one loss.
"""

import math
import time
from collections.abc import Callable

RESTART_AFTER_S = 20.0
"""A worker that is silent for this long is ended, and its job is started again: a machine that is only busy
does not keep a process from running at all for so long [U]."""

MAX_BACKOFF = 16
"""Each loss doubles RESTART_AFTER_S, up to this factor [U]."""

ONE_LOSS_S = 10.0
"""Workers that are restarted within this time are one loss [U]."""

WELL_S = 300.0
"""If all workers were alive for this long, the restarts have helped. It is longer than a worker takes to
start [U]."""


class RestartBackoff:
    """Decides when a silent worker is restarted. For one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._losses = 0
        self._lost_s = -math.inf
        self._unwell_s = clock()
        self._asked_s: dict[str, float] = {}

    def observe(self, all_are_well: bool) -> None:
        """Record whether there are workers, and all of them are alive."""
        if not all_are_well:
            self._unwell_s = self._clock()
        elif self._clock() - self._unwell_s > WELL_S:
            self._losses = 0

    @property
    def seconds(self) -> float:
        """How long a worker may be silent now."""
        return RESTART_AFTER_S * min(2.0 ** (self._losses - self._is_same_loss), MAX_BACKOFF)

    def is_over(self, worker: str, silent_s: float) -> bool:
        """Whether a worker was silent for too long, and for as long since its last restart was requested."""
        return min(silent_s, self._clock() - self._asked_s.get(worker, -math.inf)) > self.seconds

    def restarted(self, worker: str) -> None:
        """Record that a restart of a worker was requested."""
        now_s = self._clock()
        if not self._is_same_loss:
            self._losses, self._lost_s = self._losses + 1, now_s
        # Requests older than the longest wait no longer matter.
        longest_s = RESTART_AFTER_S * MAX_BACKOFF
        self._asked_s = {a: s for a, s in self._asked_s.items() if now_s - s <= longest_s} | {worker: now_s}

    @property
    def _is_same_loss(self) -> bool:
        return self._clock() - self._lost_s <= ONE_LOSS_S
