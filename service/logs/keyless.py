"""Keyless lines: requests without a key get a limited number of lines in the audit log in each second, and a
count of the rest. The same holds for requests refused as too many, with a key or without.

Their answers tell nothing about any case, and without a limit they could fill a disk within hours.
"""

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable

MOST_PER_S = 10
"""Lines of one account in a second [U]: at 0.6 kB each, 0.5 GB a day at most."""

SECOND_S = 1.0


class KeylessLineLimit:
    """Counts requests by account, on the event loop. `tell` is called once a second with each account and the
    number of its requests without a line."""

    def __init__(self, tell: Callable[[str, int], None]) -> None:
        self._tell = tell
        self._counts: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def has_line(self, account: str) -> bool:
        """Count a request. Returns whether it gets a line of its own."""
        if self._timer is None:
            # In an empty context, because lines carry the id of their request.
            nobodys = contextvars.Context()
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(SECOND_S, self.end_second, context=nobodys)
        self._counts[account] += 1
        return self._counts[account] <= MOST_PER_S

    def end_second(self) -> None:
        """Report the requests without a line."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        counts, self._counts = self._counts, Counter()
        for account, count in counts.items():
            if count > MOST_PER_S:
                self._tell(account, count - MOST_PER_S)
