"""RestartBackoff: how long a worker may be silent before it is restarted.

Restarts do not help a machine that is starved: each makes the next one later, until all workers are well for
a while. Workers that are lost together, as with their machine, are one loss.
"""

import math
import time
from collections.abc import Callable

RESTART_AFTER_S = 20.0
"""A worker that is not heard for so long is ended, and its job begun again: no machine that is merely busy
keeps a process from running at all for so long [U]."""

MAX_BACKOFF = 16
"""Each loss doubles RESTART_AFTER_S, up to so many times [U]."""

ONE_LOSS_S = 10.0
"""Workers that are restarted within so long are one loss [U]."""

WELL_S = 300.0
"""Where all workers were heard for so long, restarts have helped: longer than one takes to start [U]."""


class RestartBackoff:
    """For one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._losses = 0
        self._lost_s = -math.inf
        self._unwell_s = clock()
        self._asked_s: dict[str, float] = {}

    def observe(self, all_are_well: bool) -> None:
        """Note whether there are workers, and all of them are heard."""
        if not all_are_well:
            self._unwell_s = self._clock()
        elif self._clock() - self._unwell_s > WELL_S:
            self._losses = 0

    @property
    def seconds(self) -> float:
        """How long a worker may be silent now."""
        return RESTART_AFTER_S * min(2.0 ** (self._losses - self._is_same_loss), MAX_BACKOFF)

    def is_over(self, worker: str, silent_s: float) -> bool:
        """Whether a worker was silent for too long, and for as long since it was to be restarted last."""
        return min(silent_s, self._clock() - self._asked_s.get(worker, -math.inf)) > self.seconds

    def restarted(self, worker: str) -> None:
        """Note that a worker is to be restarted."""
        now = self._clock()
        if not self._is_same_loss:
            self._losses, self._lost_s = self._losses + 1, now
        # Who was asked for longer ago than anything waits is of no matter.
        longest_s = RESTART_AFTER_S * MAX_BACKOFF
        self._asked_s = {a: s for a, s in self._asked_s.items() if now - s <= longest_s} | {worker: now}

    @property
    def _is_same_loss(self) -> bool:
        return self._clock() - self._lost_s <= ONE_LOSS_S
