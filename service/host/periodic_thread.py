"""PeriodicThread: a thread that does one thing every so often, and goes on after a fault."""

import threading
from collections.abc import Callable

END_S = 5.0
"""How long the end waits for what is being done: a disk, a share or a database that hangs may never let it
come to an end [U]."""


def run_bounded(do: Callable[[], None]) -> None:
    """Do it, and wait for it, but not for longer than END_S."""
    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    thread.join(END_S)


class PeriodicThread:
    """Does `do` every `every_s`, from `start` to `close`."""

    def __init__(self, name: str, do: Callable[[], None], every_s: float) -> None:
        self._name, self._do, self._every_s = name, do, every_s
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Do it no more. What is being done is waited for, but not for longer than END_S."""
        self._ends.set()
        if self._thread is not None:
            self._thread.join(END_S)

    def _run(self) -> None:
        try:
            while not self._ends.is_set():
                self._do()
                self._ends.wait(self._every_s)
        finally:
            # A fault is told by the thread's own hook.
            if not self._ends.wait(self._every_s):
                self.start()
