"""Places for connections: never more than there are, and who waits for its client gives way."""

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
from service.web.connections.connection_limit import Place, Places
from service.web.connections.listener import Door

MOST, MOST_OF_ADDRESS = 5, 3
ADDRESSES = ("10.0.0.1", "10.0.0.2", "10.0.0.3")


class Crowd:
    """Connections as a list has them, longest here first: an oracle."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.there: list[tuple[str, Place]] = []
        self.left: list[Place] = []

    def come(self, address: str) -> Place | None:
        box: list[Place] = []
        place = self._places.take(address, lambda: self.left.append(box[0]))
        if place is not None:
            box.append(place)
            self.there.append((address, place))
        self.there = [(a, p) for a, p in self.there if p not in self.left]
        return place

    def of(self, address: str) -> int:
        return sum(a == address for a, _ in self.there)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["come", "busy", "rest", "unread", "end"]),
        st.sampled_from(ADDRESSES),
        st.integers(0, 9),
    ),
    max_size=60,
)


@given(STEPS)
def test_there_are_never_more_than_places_and_the_busy_stay(steps: list[tuple[str, str, int]]) -> None:
    places = Places(MOST, MOST_OF_ADDRESS)
    crowd, busy = Crowd(places), set()
    for what, address, which in steps:
        if what == "come":
            had, of_one = len(crowd.there), crowd.of(address)
            candidates = (
                crowd.there if of_one < MOST_OF_ADDRESS else [x for x in crowd.there if x[0] == address]
            )
            room = had < MOST and of_one < MOST_OF_ADDRESS
            place = crowd.come(address)
            # Turned away only where all who could give way are busy.
            assert (place is None) == (not room and all(p in busy for _, p in candidates))
        elif crowd.there:
            place = crowd.there[which % len(crowd.there)][1]
            if what == "end":
                places.end(place)
                places.end(place)
                crowd.there = [(a, p) for a, p in crowd.there if p is not place]
            elif what == "busy":
                places.busy(place)
                busy.add(place)
            else:
                (places.rest if what == "rest" else places.unread)(place)
                busy.discard(place)
        assert places.taken == len(crowd.there) <= MOST
        assert all(crowd.of(a) <= MOST_OF_ADDRESS for a in ADDRESSES)
        assert not busy & set(crowd.left)


def test_the_longest_fresh_gives_way_first_then_the_longest_at_rest() -> None:
    places = Places(3, 3)
    crowd = Crowd(places)
    resting, first, second = (crowd.come("10.0.0.1") for _ in range(3))
    assert resting is not None
    places.busy(resting)
    places.rest(resting)
    third = crowd.come("10.0.0.2")
    assert crowd.left == [first]
    for place in (second, third):
        assert place is not None
        places.busy(place)
    assert crowd.come("10.0.0.2") is not None and crowd.left == [first, resting]


def test_who_does_not_read_gives_way_after_all_others_that_wait() -> None:
    places = Places(2, 2)
    crowd = Crowd(places)
    unread, resting = (crowd.come("10.0.0.1") for _ in range(2))
    assert unread is not None and resting is not None
    places.busy(unread)
    places.unread(unread)
    places.rest(resting)
    for _ in range(2):
        place = crowd.come("10.0.0.2")
        assert place is not None
        places.busy(place)
    assert crowd.left == [resting, unread] and unread.is_unread and not resting.is_unread
    assert crowd.come("10.0.0.2") is None


def test_a_proxy_may_have_all_places() -> None:
    places = Places(4, 1, frozenset({"10.0.0.9"}))
    crowd = Crowd(places)
    assert all(crowd.come("10.0.0.9") for _ in range(4)) and crowd.left == []
    assert crowd.come("10.0.0.1") and len(crowd.left) == 1


@given(limit=st.integers(1, 200_000), asked=st.integers(1, 100_000))
def test_connections_leave_descriptors_for_all_else(limit: int, asked: int) -> None:
    share = share_of(limit, asked)
    assert 1 <= share <= asked
    assert limit - share >= min(KEPT_BACK, limit // 2) or share == 1


# The door


@pytest.fixture
def door() -> Iterator[Door]:
    with Door(socket.create_server(("127.0.0.1", 0))) as made:
        made.setblocking(False)
        yield made


def come(door: Door) -> socket.socket:
    return socket.create_connection(door.getsockname())


def accepted(door: Door) -> list[socket.socket]:
    """What one turn of an event loop accepts."""
    found = []
    try:
        while True:
            found.append(door.accept()[0])
    except BlockingIOError:
        return found


def test_a_closed_connection_gives_its_place_back(door: Door) -> None:
    door.places = Places(2, 2)
    with come(door), come(door):
        one, two = accepted(door)
        assert door.places.taken == 2
        place = door.place_of(one.fileno())
        assert place is not None and place is not door.place_of(two.fileno())
        one.close()
        one.close()
        assert door.places.taken == 1 and not place.is_taken
        with pytest.warns(ResourceWarning):
            del two
            gc.collect()
        assert door.places.taken == 0


def test_who_finds_no_place_is_turned_away(door: Door) -> None:
    door.places = Places(1, 1)
    with come(door) as first:
        [served] = accepted(door)
        place = door.place_of(served.fileno())
        assert place is not None
        door.places.busy(place)
        with come(door) as second:
            assert accepted(door) == [] and second.recv(1) == b""
        # At rest, it gives way to the next: one for each turn.
        door.places.rest(place)
        with come(door), come(door) as fourth:
            [third] = accepted(door)
            assert served.recv(1) == b""
            served.close()
            assert first.recv(1) == b""
            [last] = accepted(door)
            assert third.recv(1) == b"" and door.places.taken == 1
            last.sendall(b"x")
            assert fourth.recv(1) == b"x"
        for connection in (served, third, last):
            connection.close()
        assert door.places.taken == 0


WITHOUT_DESCRIPTORS = """
import errno, os, resource, socket
from service.web.connections.listener import Door
door = Door(socket.create_server(("127.0.0.1", 0)))
door.setblocking(False)
clients = [socket.create_connection(door.getsockname()) for _ in range(5)]
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
        door.accept()
    except BlockingIOError:
        turned_away += 1
    assert client.recv(1) == b""
assert turned_away == 5
os.close(door._spare)
door._spare = None
held.append(os.open(os.devnull, os.O_RDONLY))
os.close(held.pop())
held.append(os.open(os.devnull, os.O_RDONLY))
told = []
for _ in range(3):
    try:
        door.accept()
    except OSError as error:
        told.append(type(error) if isinstance(error, BlockingIOError) else error.errno)
assert told == [errno.EMFILE, BlockingIOError, BlockingIOError], told
"""


def test_without_descriptors_connections_are_closed_and_nothing_spins() -> None:
    """In a process of its own, whose limit is low."""
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 64 and errno.EMFILE
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DESCRIPTORS],
        capture_output=True,
        text=True,
        check=False,
        cwd=os.path.dirname(os.path.dirname(__file__)),
    )
    assert done.returncode == 0, done.stderr
