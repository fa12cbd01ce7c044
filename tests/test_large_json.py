"""Large texts are read beside the event loop, one after the other, and so many wait."""

import asyncio
import threading
import time

import pytest

from service.allowance import Allowance, Held
from service.large_json import LARGE_BYTES, MOST_OF_OWNER, MOST_WAITING, LargeJson
from service.problems import Problem
from service.strict_json import NotJson, parse


def test_small_texts_are_read_at_once_and_large_ones_in_a_thread() -> None:
    async def both() -> tuple[int, int]:
        reader = LargeJson()
        small = await reader.read("ann", LARGE_BYTES, threading.get_ident)
        return small, await reader.read("ann", LARGE_BYTES + 1, threading.get_ident)

    small, large = asyncio.run(both())
    assert small == threading.get_ident() != large


@pytest.mark.parametrize("size", [1, LARGE_BYTES + 1])
def test_what_reading_raises_is_raised(size: int) -> None:
    with pytest.raises(NotJson):
        asyncio.run(LargeJson().read("ann", size, parse, b"{"))


def test_the_loop_goes_on_while_a_large_text_is_read_and_owners_take_turns() -> None:
    order: list[str] = []

    def slow(owner: str) -> None:
        time.sleep(0.02)
        order.append(owner)

    async def all_at_once() -> int:
        reader = LargeJson()
        asked = [asyncio.create_task(reader.read(o, LARGE_BYTES + 1, slow, o)) for o in "aaaaab"]
        turns = 0
        while not all(task.done() for task in asked):
            turns += 1
            await asyncio.sleep(0)
        return turns

    # A loop that waited would turn about as often as there are texts.
    assert asyncio.run(all_at_once()) > 20
    assert sorted(order) == list("aaaaab") and "b" in order[:3]


def test_so_many_large_texts_wait_of_one_owner_and_of_all() -> None:
    let_go = threading.Event()

    async def crowd(owners: list[str]) -> list[str]:
        reader = LargeJson()
        asked = [asyncio.create_task(reader.read(o, LARGE_BYTES + 1, let_go.wait)) for o in owners]
        # All have come before the first is done.
        await asyncio.sleep(0)
        let_go.set()
        found = await asyncio.gather(*asked, return_exceptions=True)
        return [one.report.kind for one in found if isinstance(one, Problem)]

    assert asyncio.run(crowd(["ann"] * (MOST_OF_OWNER + 3))) == ["too-many-requests"] * 3
    many = [f"owner {n % 10}" for n in range(MOST_WAITING + 2)]
    assert asyncio.run(crowd(many)) == ["busy"] * 2


def test_bytes_under_way_are_bounded_for_each_owner_and_free_again() -> None:
    allowance = Allowance(per_s=1.0, burst=9, at_once=9, most_bytes=100)
    for owner in ("ann", "ann", "ben"):
        assert allowance.take(owner) is None
    one, other, of_ben = (Held(allowance, owner) for owner in ("ann", "ann", "ben"))
    one.hold(60)
    other.hold(40)
    for held in (one, other):
        with pytest.raises(Problem) as refused:
            held.hold(1)
        assert refused.value.report.kind == "too-many-requests"
    assert (one.size, other.size) == (60, 40)
    of_ben.hold(100)
    one.let_go(one.size)
    other.hold(60)
    assert (one.size, other.size) == (0, 100)
