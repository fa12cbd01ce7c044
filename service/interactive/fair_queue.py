"""Fair queue: a limited number of tasks at once, taken owner by owner, so that many requests of one owner
delay only that owner.

    ann  1 3 5 6       the order in which waiting requests get a slot, one at a time
    ben  2
    cyd  4

Of several slots one owner uses all but one at most, whether others wait or not: the next owner would
otherwise wait for the slowest of those tasks. An owner who is alone leaves one slot unused.

The number of waiting requests of one owner is limited, but not their total: an owner with no waiting request
always finds a place. Each waiting request holds a connection, whose number is limited by the server.

All wait on one event loop, and no thread waits with them.
"""

import asyncio
import math
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class QueueFull(Exception):
    """The owner has as many running and waiting requests as allowed."""


class FairQueue:
    """Requests of each owner, running or waiting, and `at_once` slots."""

    def __init__(self, most_of_owner: float = math.inf, at_once: int = 1) -> None:
        self._most_of_owner = most_of_owner
        self._free, self._most_at_once = at_once, max(1, at_once - 1)
        self._held: Counter[str] = Counter()
        self._has: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, owner: str) -> AsyncIterator[None]:
        """The context lasts while the owner has a slot. Raises QueueFull, at once."""
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
            # Drop owners with a count of zero.
            self._held += Counter()

    async def _come(self, owner: str) -> None:
        # If a slot is free, all waiting owners have as many as allowed.
        if self._may_have(owner):
            self._begin(owner)
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                # The slot was given at the moment when the request was given up.
                self._end(owner)
            else:
                self._give_up(owner, place)
            raise

    def _give_up(self, owner: str, place: "asyncio.Future[None]") -> None:
        """A request that was given up counts for its owner no more, and costs no rank."""
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
        """Give the free slots to the owners who have waited longest since their last slot, of those that may
        have one."""
        while (owner := next(filter(self._may_have, self._waiting), None)) is not None:
            places = self._waiting.pop(owner)
            place = places.popleft()
            if places:
                self._waiting[owner] = places
            if not place.cancelled():
                self._begin(owner)
                place.set_result(None)
