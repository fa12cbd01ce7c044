"""KeylessLineLimit: who has no key writes so many lines of the audit log in a second, and a count of the
rest. So does who asks too often, with a key or without.

What they are answered tells nothing of any case, and they could fill a disk in hours otherwise.
"""

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable

MOST_PER_S = 10
"""Lines of one account [U]: at 0.6 kB each, 0.5 GB a day at the most."""

SECOND_S = 1.0


class KeylessLineLimit:
    """Counts requests by account, on the event loop. `tell` is given an account and how many of its requests
    have no line, once a second."""

    def __init__(self, tell: Callable[[str, int], None]) -> None:
        self._tell = tell
        self._asked: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def has_line(self, account: str) -> bool:
        """Count a request. Whether it has a line of its own."""
        if self._timer is None:
            # Of no request: each has an id, which its lines bear.
            nobodys = contextvars.Context()
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(SECOND_S, self.end_second, context=nobodys)
        self._asked[account] += 1
        return self._asked[account] <= MOST_PER_S

    def end_second(self) -> None:
        """Tell what was left out."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        asked, self._asked = self._asked, Counter()
        for account, count in asked.items():
            if count > MOST_PER_S:
                self._tell(account, count - MOST_PER_S)
