"""Health as somebody sees it who asks again and again, from a thread of its own, while others ask too."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

PAUSE_S = 0.05
"""Between an answer and the next question."""


@dataclass(frozen=True)
class Answer:
    """What came of one question. `waited_s` is for how long the machine had no processor meanwhile for who
    asked, for the server's loop, and for another thread of it, which may have kept Python's lock."""

    status: int
    took_s: float
    waited_s: float


@dataclass
class HealthWatch:
    """All answers of a server, whose loop is the first thread of its process."""

    base: str
    pid: int
    answers: list[Answer] = field(default_factory=list)

    @property
    def longest_s(self) -> float:
        """The longest answer."""
        return max(answer.took_s for answer in self.answers)

    @property
    def longest_at_work_s(self) -> float:
        """The longest answer, without what was waited for a processor."""
        return max(answer.took_s - answer.waited_s for answer in self.answers)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Ask for as long as the context lasts."""
        ends = threading.Event()
        thread = threading.Thread(target=self._ask, args=(ends,))
        thread.start()
        try:
            yield
        finally:
            ends.set()
            thread.join()

    def _ask(self, ends: threading.Event) -> None:
        while not ends.is_set():
            before = self._waits_s()
            begun_s = time.monotonic()
            # With a connection of its own each time, as a monitor has.
            status = httpx.get(f"{self.base}/v1/health", trust_env=False, timeout=60.0).status_code
            took_s = time.monotonic() - begun_s
            own, loop, *others = (
                wait_s - before.get(thread, 0.0) for thread, wait_s in self._waits_s().items()
            )
            self.answers.append(Answer(status, took_s, own + loop + max(others, default=0.0)))
            ends.wait(PAUSE_S)

    def _waits_s(self) -> dict[int, float]:
        """How long threads have waited for a processor: who asks, the loop, and all others of the server."""
        own = threading.get_native_id()
        tasks = sorted(Path(f"/proc/{self.pid}/task").iterdir(), key=lambda task: int(task.name) != self.pid)
        waits = {}
        for task in (Path(f"/proc/self/task/{own}"), *tasks):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                # The second number, in nanoseconds: Documentation/scheduler/sched-stats.rst.
                waits[int(task.name)] = int((task / "schedstat").read_text().split()[1]) / 1e9
        return waits
