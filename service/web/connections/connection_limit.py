"""Connection limit: how many connections there are, in all and from one address, and which ones are closed
for new ones.

    fresh      no complete head has arrived yet
    busy       a request is being answered, or a WebSocket is open
    resting    the last request is answered, the next one has not arrived
    reader     more was written than the client has read so far

If all slots are taken, a connection that waits for its client is closed for a new one: the one that has been
fresh the longest, else the one that has rested the longest, else the one that has waited longest for its
reader. So many half-sent heads, or many slow readers, replace one another, and a client that sends a complete
head is served. If all connections are busy, the new one is refused.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from service.web.middleware.rate_limit import keyless_account


class _State(Enum):
    FRESH = auto()
    RESTING = auto()
    READER = auto()
    BUSY = auto()


_GIVE_WAY = (_State.FRESH, _State.RESTING, _State.READER)
"""States of connections that wait for their client, in the order in which they are closed."""


@dataclass(eq=False)
class ConnectionSlot:
    """The slot of one connection; `leave` closes the connection."""

    address: str
    leave: Callable[[], None]
    state: _State = _State.FRESH
    is_taken: bool = True

    @property
    def waits_for_reader(self) -> bool:
        """Whether written data waits for the client to read it."""
        return self.state is _State.READER


class ConnectionLimit:
    """Slots for connections, limited in all and for one address. Addresses in `unbounded`, such as a proxy's,
    may have all slots. For one thread."""

    def __init__(self, most: int, most_of_address: int, unbounded: frozenset[str] = frozenset()) -> None:
        self.most = most
        self._most_of_address = most_of_address
        self._unbounded = frozenset(keyless_account(address) for address in unbounded)
        self._taken = 0
        self._of_address: Counter[str] = Counter()
        # Connections that wait for their client, the longest first, by state.
        self._waiting: dict[_State, OrderedDict[ConnectionSlot, None]] = {
            state: OrderedDict() for state in _GIVE_WAY
        }

    @property
    def taken(self) -> int:
        """Number of slots that are taken."""
        return self._taken

    def take(self, address: str, leave: Callable[[], None]) -> ConnectionSlot | None:
        """A slot for a new connection from this address. If needed, a connection that waits for its client is
        told to leave. None if there is no slot."""
        account = keyless_account(address)
        of_one = account not in self._unbounded and self._of_address[account] >= self._most_of_address
        if of_one or self._taken >= self.most:
            gives_way = self._longest_waiting(account if of_one else None)
            if gives_way is None:
                return None
            self.end(gives_way)
            gives_way.leave()
        slot = ConnectionSlot(account, leave)
        self._taken += 1
        self._of_address[account] += 1
        self._waiting[_State.FRESH][slot] = None
        return slot

    def busy(self, slot: ConnectionSlot) -> None:
        """A request of the connection is being answered."""
        self._become(slot, _State.BUSY)

    def rest(self, slot: ConnectionSlot) -> None:
        """The connection waits for its client's next request."""
        self._become(slot, _State.RESTING)

    def wait_for_reader(self, slot: ConnectionSlot) -> None:
        """The connection waits for its client to read."""
        self._become(slot, _State.READER)

    def end(self, slot: ConnectionSlot) -> None:
        """The connection has ended, or is told to. May be called twice."""
        if not slot.is_taken:
            return
        slot.is_taken = False
        self._taken -= 1
        self._of_address[slot.address] -= 1
        if self._of_address[slot.address] == 0:
            del self._of_address[slot.address]
        if slot.state is not _State.BUSY:
            del self._waiting[slot.state][slot]

    def _become(self, slot: ConnectionSlot, state: _State) -> None:
        if not slot.is_taken or slot.state is state:
            return
        if slot.state is not _State.BUSY:
            del self._waiting[slot.state][slot]
        slot.state = state
        if state is not _State.BUSY:
            self._waiting[state][slot] = None

    def _longest_waiting(self, account: str | None) -> ConnectionSlot | None:
        """The longest waiting slot of one account, or of all."""
        for waiting in self._waiting.values():
            for slot in waiting:
                if account is None or slot.address == account:
                    return slot
        return None
