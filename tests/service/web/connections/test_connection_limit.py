"""ConnectionLimit: the limit is never exceeded, and connections that wait for their client are displaced."""

import errno
import gc
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.host.descriptors import KEPT_BACK, share_of
from service.web.connections.connection_limit import ConnectionLimit, ConnectionSlot
from service.web.connections.listener import Listener

MOST, MOST_OF_ADDRESS = 5, 3
ADDRESSES = ("10.0.0.1", "10.0.0.2", "10.0.0.3")


class ConnectionList:
    """The open connections as a plain list, oldest first: an oracle."""

    def __init__(self, limit: ConnectionLimit) -> None:
        self._connection_limit = limit
        self.open: list[tuple[str, ConnectionSlot]] = []
        self.displaced: list[ConnectionSlot] = []

    def connect(self, address: str) -> ConnectionSlot | None:
        box: list[ConnectionSlot] = []
        slot = self._connection_limit.take(address, lambda: self.displaced.append(box[0]))
        if slot is not None:
            box.append(slot)
            self.open.append((address, slot))
        self.open = [(a, p) for a, p in self.open if p not in self.displaced]
        return slot

    def count_of(self, address: str) -> int:
        return sum(a == address for a, _ in self.open)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["come", "busy", "rest", "wait_for_reader", "end"]),
        st.sampled_from(ADDRESSES),
        st.integers(0, 9),
    ),
    max_size=60,
)


@given(STEPS)
def test_the_limit_is_never_exceeded_and_busy_connections_stay(steps: list[tuple[str, str, int]]) -> None:
    limit = ConnectionLimit(MOST, MOST_OF_ADDRESS)
    connections, busy = ConnectionList(limit), set()
    for action, address, index in steps:
        if action == "come":
            count, count_of_address = len(connections.open), connections.count_of(address)
            candidates = (
                connections.open
                if count_of_address < MOST_OF_ADDRESS
                else [entry for entry in connections.open if entry[0] == address]
            )
            has_room = count < MOST and count_of_address < MOST_OF_ADDRESS
            slot = connections.connect(address)
            # Refused only if all connections that could be displaced are busy.
            assert (slot is None) == (
                not has_room and all(other_slot in busy for _, other_slot in candidates)
            )
        elif connections.open:
            slot = connections.open[index % len(connections.open)][1]
            if action == "end":
                limit.end(slot)
                limit.end(slot)
                connections.open = [
                    (owner_address, other_slot)
                    for owner_address, other_slot in connections.open
                    if other_slot is not slot
                ]
            elif action == "busy":
                limit.busy(slot)
                busy.add(slot)
            else:
                (limit.rest if action == "rest" else limit.wait_for_reader)(slot)
                busy.discard(slot)
        assert limit.taken == len(connections.open) <= MOST
        assert all(connections.count_of(owner_address) <= MOST_OF_ADDRESS for owner_address in ADDRESSES)
        assert not busy & set(connections.displaced)


def test_the_oldest_new_connection_is_displaced_first_then_the_longest_idle() -> None:
    limit = ConnectionLimit(3, 3)
    connections = ConnectionList(limit)
    idle, first, second = (connections.connect("10.0.0.1") for _ in range(3))
    assert idle is not None
    limit.busy(idle)
    limit.rest(idle)
    third = connections.connect("10.0.0.2")
    assert connections.displaced == [first]
    for slot in (second, third):
        assert slot is not None
        limit.busy(slot)
    assert connections.connect("10.0.0.2") is not None and connections.displaced == [first, idle]


def test_connections_with_unread_answers_are_displaced_after_idle_ones() -> None:
    limit = ConnectionLimit(2, 2)
    connections = ConnectionList(limit)
    unread, idle = (connections.connect("10.0.0.1") for _ in range(2))
    assert unread is not None and idle is not None
    limit.busy(unread)
    limit.wait_for_reader(unread)
    limit.rest(idle)
    for _ in range(2):
        slot = connections.connect("10.0.0.2")
        assert slot is not None
        limit.busy(slot)
    assert connections.displaced == [idle, unread] and unread.waits_for_reader and not idle.waits_for_reader
    assert connections.connect("10.0.0.2") is None


def test_a_proxy_may_use_all_connections() -> None:
    limit = ConnectionLimit(4, 1, frozenset({"10.0.0.9"}))
    connections = ConnectionList(limit)
    assert all(connections.connect("10.0.0.9") for _ in range(4)) and connections.displaced == []
    assert connections.connect("10.0.0.1") and len(connections.displaced) == 1


@given(limit=st.integers(1, 200_000), asked=st.integers(1, 100_000))
def test_connections_leave_descriptors_for_other_uses(limit: int, asked: int) -> None:
    share = share_of(limit, asked)
    assert 1 <= share <= asked
    assert limit - share >= min(KEPT_BACK, limit // 2) or share == 1


# The listener


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.setblocking(False)
        yield listening


def connect(listener: Listener) -> socket.socket:
    return socket.create_connection(listener.getsockname())


def accepted(listener: Listener) -> list[socket.socket]:
    """The connections that one turn of an event loop accepts."""
    connections = []
    try:
        while True:
            connections.append(listener.accept()[0])
    except BlockingIOError:
        return connections


def test_a_closed_connection_frees_its_slot(listener: Listener) -> None:
    listener.limit = ConnectionLimit(2, 2)
    with connect(listener), connect(listener):
        first, second = accepted(listener)
        assert listener.limit.taken == 2
        slot = listener.slot_of(first.fileno())
        assert slot is not None and slot is not listener.slot_of(second.fileno())
        first.close()
        first.close()
        assert listener.limit.taken == 1 and not slot.is_taken
        with pytest.warns(ResourceWarning):
            del second
            gc.collect()
        assert listener.limit.taken == 0


def test_a_connection_above_the_limit_is_closed(listener: Listener) -> None:
    listener.limit = ConnectionLimit(1, 1)
    with connect(listener) as first_client:
        [first_connection] = accepted(listener)
        slot = listener.slot_of(first_connection.fileno())
        assert slot is not None
        listener.limit.busy(slot)
        with connect(listener) as second_client:
            assert accepted(listener) == [] and second_client.recv(1) == b""
        # An idle connection is displaced by the next one: one in each turn of the loop.
        listener.limit.rest(slot)
        with connect(listener), connect(listener) as last_client:
            [displaced_connection] = accepted(listener)
            assert first_connection.recv(1) == b""
            first_connection.close()
            assert first_client.recv(1) == b""
            [last_connection] = accepted(listener)
            assert displaced_connection.recv(1) == b"" and listener.limit.taken == 1
            last_connection.sendall(b"x")
            assert last_client.recv(1) == b"x"
        for connection in (first_connection, displaced_connection, last_connection):
            connection.close()
        assert listener.limit.taken == 0


WITHOUT_DESCRIPTORS = """
import errno, os, resource, socket
from service.web.connections.listener import Listener
listener = Listener(socket.create_server(("127.0.0.1", 0)))
listener.setblocking(False)
clients = [socket.create_connection(listener.getsockname()) for _ in range(5)]
descriptors = []
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
try:
    while True:
        descriptors.append(os.open(os.devnull, os.O_RDONLY))
except OSError as error:
    assert error.errno == errno.EMFILE
turned_away = 0
for client in clients:
    try:
        listener.accept()
    except BlockingIOError:
        turned_away += 1
    assert client.recv(1) == b""
assert turned_away == 5
os.close(listener._spare)
listener._spare = None
descriptors.append(os.open(os.devnull, os.O_RDONLY))
os.close(descriptors.pop())
descriptors.append(os.open(os.devnull, os.O_RDONLY))
errors = []
for _ in range(3):
    try:
        listener.accept()
    except OSError as error:
        errors.append(type(error) if isinstance(error, BlockingIOError) else error.errno)
assert errors == [errno.EMFILE, BlockingIOError, BlockingIOError], errors
"""


def test_without_descriptors_connections_are_closed_and_accept_does_not_loop() -> None:
    """In a separate process with a low limit of descriptors."""
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 64 and errno.EMFILE
    completed = subprocess.run(
        [sys.executable, "-c", WITHOUT_DESCRIPTORS],
        capture_output=True,
        text=True,
        check=False,
        cwd=os.path.dirname(os.path.dirname(__file__)),
    )
    assert completed.returncode == 0, completed.stderr
