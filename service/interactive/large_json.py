"""Large JSON: a small text is parsed at once, a large one in a thread, one text after the other, owner by
owner.

The time of parsing grows with the text, and on the event loop everybody would wait for it. A thread does not
help while one call in C creates Python values, because it keeps Python's lock. That time depends mostly on
the number of lists and objects, so they are counted first.
"""

from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from service.interactive.fair_queue import FairQueue
from service.schemas.json.strict import NotJson

LARGE_BYTES = 1 << 10
"""A text of this length is parsed in half a millisecond at most, which a thread would cost as well [U]."""

MOST_CONTAINERS = 20_000
"""Lists and objects in one text [U]: three times what a model accepts; parsed in 10 to 25 ms."""

Result = TypeVar("Result")


class LargeJson:
    """One parser of a server: more would only alternate at Python's one lock. How many texts of an owner wait
    is limited by the bytes under way (`service.web.middleware.rate_limit`)."""

    def __init__(self) -> None:
        self._queue = FairQueue()

    async def read(self, owner: str, text: bytes, function: Callable[[bytes], Result]) -> Result:
        """What the function makes of a text. Raises what it raises, and NotJson for a text with too many
        lists and objects."""
        # Brackets within strings count as well: only parsing can tell them apart.
        if text.count(b"[") + text.count(b"{") > MOST_CONTAINERS:
            raise NotJson(f"The text has more than {MOST_CONTAINERS} lists and objects.")
        if len(text) <= LARGE_BYTES:
            return function(text)
        async with self._queue.turn(owner):
            return await run_in_threadpool(function, text)
