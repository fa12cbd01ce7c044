"""FairQueue: so many at once, owner by owner, so that whoever asks for much waits for himself.

    ann  1 3 5 6       the order in which waiting places become turns, one at a time
    ben  2
    cyd  4

Of several turns at once one owner has all but one at most, whether others wait or not: who comes next would
otherwise wait for as long as the slowest of what he asked for. One owner alone leaves one unused.

So many wait of one owner, and of all as many as there are: whoever has nothing waiting finds a place. Each
holds a connection meanwhile, of which a server has so many.

All wait on one event loop, and no thread waits with them.
"""

import asyncio
import math
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class QueueFull(Exception):
    """The owner has all his places taken."""


class FairQueue:
    """Places of each owner, who waits or has his turn there, and `at_once` turns at a time."""

    def __init__(self, most_of_owner: float = math.inf, at_once: int = 1) -> None:
        self._most_of_owner = most_of_owner
        self._free, self._most_at_once = at_once, max(1, at_once - 1)
        self._held: Counter[str] = Counter()
        self._has: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, owner: str) -> AsyncIterator[None]:
        """The context lasts while it is the owner's turn. Raises QueueFull, at once."""
        if self._held[owner] >= self._most_of_owner:
            raise QueueFull
        self._held[owner] += 1
        try:
            await self._come(owner)
            try:
                yield
            finally:
                self._end(owner)
        finally:
            self._held[owner] -= 1
            # Owners who hold nothing are not remembered.
            self._held += Counter()

    async def _come(self, owner: str) -> None:
        # Where a turn is free, all who wait have as many as they may.
        if self._may_have(owner):
            self._begin(owner)
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                # The turn came in the moment in which it was given up.
                self._end(owner)
            else:
                self._give_up(owner, place)
            raise

    def _give_up(self, owner: str, place: "asyncio.Future[None]") -> None:
        """A place that nobody waits at bounds no owner, and costs him no rank."""
        places = self._waiting.get(owner, deque())
        if place in places:
            places.remove(place)
        if not places:
            self._waiting.pop(owner, None)

    def _may_have(self, owner: str) -> bool:
        return self._free > 0 and self._has[owner] < self._most_at_once

    def _begin(self, owner: str) -> None:
        self._free -= 1
        self._has[owner] += 1

    def _end(self, owner: str) -> None:
        self._free += 1
        self._has[owner] -= 1
        self._has += Counter()
        self._pass_on()

    def _pass_on(self) -> None:
        """Give what is free to the owner who waits for the longest since his last turn, of those who may."""
        while (owner := next(filter(self._may_have, self._waiting), None)) is not None:
            places = self._waiting.pop(owner)
            place = places.popleft()
            if places:
                self._waiting[owner] = places
            if not place.cancelled():
                self._begin(owner)
                place.set_result(None)
