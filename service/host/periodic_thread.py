"""Periodic thread: calls a function at regular times, and continues after an exception."""

import threading
from collections.abc import Callable

END_S = 5.0
"""How long `close` waits for a running call: a disk, network share or database that hangs may never let it
end [U]."""


def run_bounded(do: Callable[[], None]) -> None:
    """Call a function in a thread, and wait for it, but not longer than END_S."""
    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    thread.join(END_S)


class PeriodicThread:
    """Calls `do` every `every_s` seconds, from `start` to `close`."""

    def __init__(self, name: str, do: Callable[[], None], every_s: float) -> None:
        self._name, self._do, self._every_s = name, do, every_s
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start; returns at once."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop. A running call is waited for, but not longer than END_S."""
        self._ends.set()
        if self._thread is not None:
            self._thread.join(END_S)

    def _run(self) -> None:
        try:
            while not self._ends.is_set():
                self._do()
                self._ends.wait(self._every_s)
        finally:
            # The thread's own hook reports the exception.
            if not self._ends.wait(self._every_s):
                self.start()
