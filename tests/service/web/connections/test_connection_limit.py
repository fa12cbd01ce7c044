"""ConnectionLimit for connections: never more than there are, and who waits for its client gives way."""

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


class Crowd:
    """Connections as a list has them, longest here first: an oracle."""

    def __init__(self, limit: ConnectionLimit) -> None:
        self._connection_limit = limit
        self.there: list[tuple[str, ConnectionSlot]] = []
        self.left: list[ConnectionSlot] = []

    def come(self, address: str) -> ConnectionSlot | None:
        box: list[ConnectionSlot] = []
        slot = self._connection_limit.take(address, lambda: self.left.append(box[0]))
        if slot is not None:
            box.append(slot)
            self.there.append((address, slot))
        self.there = [(a, p) for a, p in self.there if p not in self.left]
        return slot

    def of(self, address: str) -> int:
        return sum(a == address for a, _ in self.there)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["come", "busy", "rest", "wait_for_reader", "end"]),
        st.sampled_from(ADDRESSES),
        st.integers(0, 9),
    ),
    max_size=60,
)


@given(STEPS)
def test_there_are_never_more_than_places_and_the_busy_stay(steps: list[tuple[str, str, int]]) -> None:
    limit = ConnectionLimit(MOST, MOST_OF_ADDRESS)
    crowd, busy = Crowd(limit), set()
    for what, address, which in steps:
        if what == "come":
            had, of_one = len(crowd.there), crowd.of(address)
            candidates = (
                crowd.there if of_one < MOST_OF_ADDRESS else [x for x in crowd.there if x[0] == address]
            )
            room = had < MOST and of_one < MOST_OF_ADDRESS
            slot = crowd.come(address)
            # Turned away only where all who could give way are busy.
            assert (slot is None) == (not room and all(p in busy for _, p in candidates))
        elif crowd.there:
            slot = crowd.there[which % len(crowd.there)][1]
            if what == "end":
                limit.end(slot)
                limit.end(slot)
                crowd.there = [(a, p) for a, p in crowd.there if p is not slot]
            elif what == "busy":
                limit.busy(slot)
                busy.add(slot)
            else:
                (limit.rest if what == "rest" else limit.wait_for_reader)(slot)
                busy.discard(slot)
        assert limit.taken == len(crowd.there) <= MOST
        assert all(crowd.of(a) <= MOST_OF_ADDRESS for a in ADDRESSES)
        assert not busy & set(crowd.left)


def test_the_longest_fresh_gives_way_first_then_the_longest_at_rest() -> None:
    limit = ConnectionLimit(3, 3)
    crowd = Crowd(limit)
    resting, first, second = (crowd.come("10.0.0.1") for _ in range(3))
    assert resting is not None
    limit.busy(resting)
    limit.rest(resting)
    third = crowd.come("10.0.0.2")
    assert crowd.left == [first]
    for slot in (second, third):
        assert slot is not None
        limit.busy(slot)
    assert crowd.come("10.0.0.2") is not None and crowd.left == [first, resting]


def test_who_does_not_read_gives_way_after_all_others_that_wait() -> None:
    limit = ConnectionLimit(2, 2)
    crowd = Crowd(limit)
    wait_for_reader, resting = (crowd.come("10.0.0.1") for _ in range(2))
    assert wait_for_reader is not None and resting is not None
    limit.busy(wait_for_reader)
    limit.wait_for_reader(wait_for_reader)
    limit.rest(resting)
    for _ in range(2):
        slot = crowd.come("10.0.0.2")
        assert slot is not None
        limit.busy(slot)
    assert (
        crowd.left == [resting, wait_for_reader]
        and wait_for_reader.waits_for_reader
        and not resting.waits_for_reader
    )
    assert crowd.come("10.0.0.2") is None


def test_a_proxy_may_have_all_places() -> None:
    limit = ConnectionLimit(4, 1, frozenset({"10.0.0.9"}))
    crowd = Crowd(limit)
    assert all(crowd.come("10.0.0.9") for _ in range(4)) and crowd.left == []
    assert crowd.come("10.0.0.1") and len(crowd.left) == 1


@given(limit=st.integers(1, 200_000), asked=st.integers(1, 100_000))
def test_connections_leave_descriptors_for_all_else(limit: int, asked: int) -> None:
    share = share_of(limit, asked)
    assert 1 <= share <= asked
    assert limit - share >= min(KEPT_BACK, limit // 2) or share == 1


# The listener


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.setblocking(False)
        yield listening


def come(listener: Listener) -> socket.socket:
    return socket.create_connection(listener.getsockname())


def accepted(listener: Listener) -> list[socket.socket]:
    """What one turn of an event loop accepts."""
    connections = []
    try:
        while True:
            connections.append(listener.accept()[0])
    except BlockingIOError:
        return connections


def test_a_closed_connection_gives_its_place_back(listener: Listener) -> None:
    listener.limit = ConnectionLimit(2, 2)
    with come(listener), come(listener):
        one, two = accepted(listener)
        assert listener.limit.taken == 2
        slot = listener.slot_of(one.fileno())
        assert slot is not None and slot is not listener.slot_of(two.fileno())
        one.close()
        one.close()
        assert listener.limit.taken == 1 and not slot.is_taken
        with pytest.warns(ResourceWarning):
            del two
            gc.collect()
        assert listener.limit.taken == 0


def test_who_finds_no_place_is_turned_away(listener: Listener) -> None:
    listener.limit = ConnectionLimit(1, 1)
    with come(listener) as first:
        [served] = accepted(listener)
        slot = listener.slot_of(served.fileno())
        assert slot is not None
        listener.limit.busy(slot)
        with come(listener) as second:
            assert accepted(listener) == [] and second.recv(1) == b""
        # At rest, it gives way to the next: one for each turn.
        listener.limit.rest(slot)
        with come(listener), come(listener) as fourth:
            [third] = accepted(listener)
            assert served.recv(1) == b""
            served.close()
            assert first.recv(1) == b""
            [last] = accepted(listener)
            assert third.recv(1) == b"" and listener.limit.taken == 1
            last.sendall(b"x")
            assert fourth.recv(1) == b"x"
        for connection in (served, third, last):
            connection.close()
        assert listener.limit.taken == 0


WITHOUT_DESCRIPTORS = """
import errno, os, resource, socket
from service.web.connections.listener import Listener
listener = Listener(socket.create_server(("127.0.0.1", 0)))
listener.setblocking(False)
clients = [socket.create_connection(listener.getsockname()) for _ in range(5)]
held = []
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
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
held.append(os.open(os.devnull, os.O_RDONLY))
os.close(held.pop())
held.append(os.open(os.devnull, os.O_RDONLY))
told = []
for _ in range(3):
    try:
        listener.accept()
    except OSError as error:
        told.append(type(error) if isinstance(error, BlockingIOError) else error.errno)
assert told == [errno.EMFILE, BlockingIOError, BlockingIOError], told
"""


def test_without_descriptors_connections_are_closed_and_nothing_spins() -> None:
    """In a process of its own, whose limit is low."""
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 64 and errno.EMFILE
    completed = subprocess.run(
        [sys.executable, "-c", WITHOUT_DESCRIPTORS],
        capture_output=True,
        text=True,
        check=False,
        cwd=os.path.dirname(os.path.dirname(__file__)),
    )
    assert completed.returncode == 0, completed.stderr
