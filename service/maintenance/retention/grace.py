"""Grace period: nothing is removed for a day after the settings were changed, or the clock may have been.

A missing digit in a setting, or a clock that is years ahead, would empty the store at once. So the policy and
the last round are recorded in the data folder. If the policy has changed, or the last round was more than a
day ago, as it is after a jump of the clock, the operator has a day to see what would be removed: in the log,
and with `seedpath store prune --dry-run`.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from service.host.atomic_write import write_atomically
from service.host.disk_errors import FULL
from service.logs.rotation import DAY_S
from service.maintenance.retention.policy import Policy

GRACE_S = DAY_S
"""How long nothing is removed, and the longest time between rounds that raises no doubt [U]."""


class GracePeriod:
    """The note in a data folder. Raises OSError if it cannot be written although the disk is not full."""

    def __init__(self, data_dir: Path, policy: Policy, clock_s: Callable[[], float] = time.time) -> None:
        self._file, self._policy, self._clock_s = data_dir / "retention.json", asdict(policy), clock_s
        self._unwritten: dict[str, Any] | None = None

    def left_s(self) -> float:
        """Record that a round begins; returns for how long nothing may be removed, 0 if removal is
        allowed."""
        now_s, noted = self._clock_s(), self._noted()
        is_steady = noted is not None and 0.0 <= now_s - noted["last_s"] <= GRACE_S
        since_s = noted["since_s"] if noted is not None and is_steady else now_s
        note = {"policy": self._policy, "since_s": since_s, "last_s": now_s}
        try:
            write_atomically(self._file, json.dumps(note, indent=1).encode(), mode=0o600)
        except OSError as error:
            # Removal frees space. A server that starts without the note waits longer, not shorter.
            if error.errno not in FULL:
                raise
            self._unwritten = note
        else:
            self._unwritten = None
        return float(max(0.0, since_s + GRACE_S - now_s))

    def _noted(self) -> dict[str, Any] | None:
        """The last note of this policy; None if there is none, or it cannot be read."""
        if self._unwritten is not None:
            return self._unwritten
        try:
            noted = json.loads(self._file.read_text(encoding="utf-8"))
            times = [noted[name] for name in ("since_s", "last_s")]
            is_good = noted["policy"] == self._policy and all(isinstance(t, float) for t in times)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return noted if is_good else None
