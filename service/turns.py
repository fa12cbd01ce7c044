"""Turns: one at a time, owner by owner, so that whoever asks for much waits for himself.

    ann  1 3 5 6       the order in which waiting places become turns
    ben  2
    cyd  4

All wait on one event loop, and no thread waits with them.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Full(Exception):
    """There is no waiting place; `of_owner` where only this owner has none."""

    def __init__(self, of_owner: bool) -> None:
        self.of_owner = of_owner
        super().__init__("no waiting place")


class Turns:
    """Waiting places, so many of them for one owner."""

    def __init__(self, most: int, most_of_owner: int) -> None:
        self._most, self._most_of_owner = most, most_of_owner
        self._held: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._taken = False

    @asynccontextmanager
    async def turn(self, owner: str) -> AsyncIterator[None]:
        """The context lasts while it is the owner's turn. Raises Full, at once."""
        if self._held[owner] >= self._most_of_owner:
            raise Full(of_owner=True)
        if self._held.total() >= self._most:
            raise Full(of_owner=False)
        self._held[owner] += 1
        try:
            await self._come(owner)
            try:
                yield
            finally:
                self._pass_on()
        finally:
            self._held[owner] -= 1
            # Owners who hold nothing are not remembered.
            self._held += Counter()

    async def _come(self, owner: str) -> None:
        if not self._taken:
            self._taken = True
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner, deque()).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                # The turn came in the moment in which it was given up.
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """The turn of the owner who waits since the longest ago after his last one."""
        while self._waiting:
            owner, places = self._waiting.popitem(last=False)
            place = places.popleft()
            if places:
                self._waiting[owner] = places
            if not place.cancelled():
                place.set_result(None)
                return
        self._taken = False
