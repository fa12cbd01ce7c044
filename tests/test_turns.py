"""Turns at a bench: one at a time, owner by owner, so many places for each."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from service.jobs.bench import Bounds
from service.problems import Problem
from service.shared_bench import SharedBench
from service.turns import Full, Turns


async def settled() -> None:
    """Let all others run until they wait."""
    for _ in range(10):
        await asyncio.sleep(0)


async def in_order(turns: Turns, owners: str) -> str:
    """The owners in the order of their turns; all ask at once, the first has it while the others come."""
    had: list[str] = []
    going = asyncio.Event()

    async def ask(owner: str) -> None:
        async with turns.turn(owner):
            had.append(owner)
            await going.wait()

    asked = [asyncio.create_task(ask(owner)) for owner in owners]
    await settled()
    going.set()
    await asyncio.gather(*asked)
    return "".join(had)


async def one(turns: Turns, owner: str) -> str:
    async with turns.turn(owner):
        return owner


def run(asked: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("asked", "had"),
    [("aaaa", "aaaa"), ("aaaab", "aabaa"), ("aaabbc", "aabcab"), ("abab", "abab"), ("a", "a")],
)
def test_owners_take_turns(asked: str, had: str) -> None:
    assert run(lambda: in_order(Turns(10, 10), asked)) == had


def test_one_owner_cannot_take_all_places() -> None:
    async def asked() -> None:
        turns = Turns(most=3, most_of_owner=2)
        async with turns.turn("a"):
            waiting = asyncio.create_task(in_order(turns, "a"))
            await settled()
            with pytest.raises(Full) as full:
                async with turns.turn("a"):
                    pass
            assert full.value.of_owner
            other = asyncio.create_task(in_order(turns, "b"))
            await settled()
            with pytest.raises(Full) as full:
                async with turns.turn("c"):
                    pass
            assert not full.value.of_owner
        assert await waiting == "a" and await other == "b"
        # All places are free again.
        assert await in_order(turns, "aab") == "aab"

    run(asked)


@pytest.mark.parametrize("after_it_came", [False, True])
def test_a_turn_that_is_given_up_goes_to_the_next(after_it_came: bool) -> None:
    async def asked() -> None:
        turns = Turns(5, 5)
        first = turns.turn("a")
        await first.__aenter__()
        given_up, last = (asyncio.create_task(one(turns, owner)) for owner in "bc")
        await settled()
        if after_it_came:
            await first.__aexit__(None, None, None)
        given_up.cancel()
        await asyncio.sleep(0)
        if not after_it_came:
            await first.__aexit__(None, None, None)
        assert await asyncio.wait_for(last, 10.0) == "c"
        await asyncio.wait([given_up], timeout=10.0)
        assert given_up.cancelled()

    run(asked)


def test_a_full_bench_says_whose_fault_it_is() -> None:
    async def asked() -> None:
        bench = SharedBench("Trying", Bounds(60.0, 1 << 40, 0), most_waiting=2, most_of_owner=1)
        async with bench._turns.turn("a"):
            with pytest.raises(Problem) as refused:
                await bench.run("a", print)
            assert refused.value.report.kind == "too-many-requests"
            assert refused.value.headers == {"Retry-After": "1"}
            waiting = asyncio.create_task(bench.run("b", _answered))
            await settled()
            with pytest.raises(Problem) as refused:
                await bench.run("c", print)
            assert refused.value.report.kind == "busy"
        try:
            assert await waiting == "answered"
        finally:
            bench.close()

    run(asked)


def _answered(report: Any) -> str:
    del report
    return "answered"
