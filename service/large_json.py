"""Large JSON: what a client sent is read at once where it is small, else in a thread, one after the other.

Reading takes time that grows with the text, and on the event loop everybody would wait for it.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from starlette.concurrency import run_in_threadpool

from service.problems import Problem, problem
from service.turns import Full, Turns

LARGE_BYTES = 64 << 10
"""A text of this length is read in about 10 ms [U]."""

MOST_WAITING, MOST_OF_OWNER = 100, 25
"""Large texts that wait for their turn, of all and of one owner [U]."""

RETRY_AFTER_S = 1
"""When an owner should come back whose texts all wait [U]."""

P = ParamSpec("P")
Read = TypeVar("Read")


class LargeJson:
    """One reader of a server: more would only take turns at Python's one lock."""

    def __init__(self) -> None:
        self._turns = Turns(MOST_WAITING, MOST_OF_OWNER)

    async def read(
        self, owner: str, size: int, function: Callable[P, Read], *args: P.args, **kwargs: P.kwargs
    ) -> Read:
        """What the function makes of a text of so many bytes. Raises what it raises, and Problem where too
        many wait."""
        if size <= LARGE_BYTES:
            return function(*args, **kwargs)
        try:
            async with self._turns.turn(owner):
                return await run_in_threadpool(function, *args, **kwargs)
        except Full as full:
            detail = "Too many large texts wait to be read. Send them one after the other."
            kind = "too-many-requests" if full.of_owner else "busy"
            raise Problem(problem(kind, detail).report, {"Retry-After": str(RETRY_AFTER_S)}) from None
