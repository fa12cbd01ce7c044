"""Large JSON: what a client sent is read at once where it is small, else in a thread, one text after the
other, owner by owner.

CaseReader takes time that grows with the text, and on the event loop everybody would wait for it. Nor does a
thread help while one call in C makes values of a text, for it keeps Python's lock. What that takes depends on
the lists and objects more than on anything else, so they are counted first.
"""

from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from service.interactive.fair_queue import FairQueue
from service.schemas.json.strict import NotJson

LARGE_BYTES = 1 << 10
"""A text of this length is read in half a millisecond at the most, which a thread would cost as well [U]."""

MOST_CONTAINERS = 20_000
"""Lists and objects in one text [U]: three times what a model takes, and read in 10 to 25 ms."""

Read = TypeVar("Read")


class LargeJson:
    """One reader of a server: more would only take turns at Python's one lock. How many texts of an owner
    wait is bounded by what he may have under way (`service.web.middleware.rate_limit`)."""

    def __init__(self) -> None:
        self._queue = FairQueue()

    async def read(self, owner: str, text: bytes, function: Callable[[bytes], Read]) -> Read:
        """What the function makes of a text. Raises what it raises, and NotJson for a text that holds more
        lists and objects than may be."""
        # Those within strings count as well: they can be told apart only by reading it.
        if text.count(b"[") + text.count(b"{") > MOST_CONTAINERS:
            raise NotJson(f"The text holds more than {MOST_CONTAINERS} lists and objects.")
        if len(text) <= LARGE_BYTES:
            return function(text)
        async with self._queue.turn(owner):
            return await run_in_threadpool(function, text)
