"""FairQueue at sandboxes: so many at once, owner by owner, so many places for each."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import psutil
import pytest
import sandbox_work as fakes
from hypothesis import given, settings
from hypothesis import strategies as st

from service.interactive import sandbox_pool
from service.interactive.fair_queue import FairQueue, QueueFull
from service.interactive.sandbox_pool import SandboxPool
from service.jobs.errors import ServiceEnds, TooManyWaiting
from service.jobs.sandbox.sandbox import ProcessLost, ResourceLimits
from service.web.problem_answers import problem_of

GENEROUS_S = 300.0
"""A sandbox may take a minute to start on a machine that is busy with other tests."""


async def settled() -> None:
    """Let all others run until they wait."""
    for _ in range(10):
        await asyncio.sleep(0)


async def in_order(queue: FairQueue, owners: str) -> str:
    """The owners in the order of their queue; all ask at once, the first has it while the others come."""
    had: list[str] = []
    going = asyncio.Event()

    async def ask(owner: str) -> None:
        async with queue.turn(owner):
            had.append(owner)
            await going.wait()

    tasks = [asyncio.create_task(ask(owner)) for owner in owners]
    await settled()
    going.set()
    await asyncio.gather(*tasks)
    return "".join(had)


async def one(queue: FairQueue, owner: str) -> str:
    async with queue.turn(owner):
        return owner


def run(coroutine: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(coroutine())


@pytest.mark.parametrize(
    ("owners", "had"),
    [("aaaa", "aaaa"), ("aaaab", "aabaa"), ("aaabbc", "aabcab"), ("abab", "abab"), ("a", "a")],
)
def test_owners_take_turns(owners: str, had: str) -> None:
    assert run(lambda: in_order(FairQueue(10), owners)) == had


def test_places_that_others_have_taken_are_nobody_elses_loss() -> None:
    async def asked() -> None:
        queue = FairQueue(most_of_owner=2)
        async with queue.turn("first"):
            # As many as there are places of theirs, and of many.
            others = [asyncio.create_task(one(queue, f"{n}")) for n in range(50) for _ in range(2)]
            await settled()
            for n in range(50):
                with pytest.raises(QueueFull):
                    await one(queue, f"{n}")
            last = [asyncio.create_task(one(queue, owner)) for owner in ("first", "last", "last")]
            await settled()
            with pytest.raises(QueueFull):
                await one(queue, "first")
        assert await asyncio.gather(*last) == ["first", "last", "last"]
        await asyncio.gather(*others)
        # All places are free again.
        assert await in_order(queue, "aab") == "aab"

    run(asked)


@pytest.mark.parametrize("after_it_came", [False, True])
def test_a_turn_that_is_given_up_goes_to_the_next(after_it_came: bool) -> None:
    async def asked() -> None:
        queue = FairQueue(5)
        first = queue.turn("a")
        await first.__aenter__()
        given_up, last = (asyncio.create_task(one(queue, owner)) for owner in "bc")
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


def test_places_that_are_given_up_cost_their_owner_no_rank() -> None:
    async def ask() -> str:
        queue, going = FairQueue(), asyncio.Event()
        had: list[str] = []

        async def work(owner: str) -> None:
            async with queue.turn(owner):
                had.append(owner)
                await going.wait()

        tasks = [asyncio.create_task(work(owner)) for owner in "xaaabb"]
        await settled()
        for task in tasks[1:3]:
            task.cancel()
        await settled()
        going.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not queue._waiting
        return "".join(had)

    assert run(ask) == "xabb"


def test_who_gives_up_all_his_places_is_not_remembered() -> None:
    async def ask() -> int:
        queue = FairQueue()
        async with queue.turn("x"):
            tasks = [asyncio.create_task(one(queue, "a")) for _ in range(100)]
            await settled()
            for task in tasks:
                task.cancel()
            await settled()
            return len(queue._waiting)

    assert run(ask) == 0


def test_an_owner_at_the_limit_gets_the_time_to_retry() -> None:
    async def asked() -> None:
        sandbox = SandboxPool("Trying", ResourceLimits(60.0, 1 << 40, 0), most_of_owner=1)
        async with sandbox._queue.turn("a"):
            with pytest.raises(TooManyWaiting) as refused:
                await sandbox.run("a", print)
            assert problem_of(refused.value).headers == {"Retry-After": "1"}
            assert problem_of(refused.value).report.kind == "too-many-requests"
            waiting = asyncio.create_task(sandbox.run("b", _answered))
            await settled()
        try:
            assert await waiting == "answered"
        finally:
            sandbox.close()

    run(asked)


@pytest.mark.parametrize(
    ("at_once", "owners", "first"),
    [(1, "aab", "a"), (2, "aaa", "a"), (2, "aaab", "ab"), (2, "abc", "ab"), (3, "aaaabb", "aab")],
)
def test_one_owner_has_all_turns_but_one(at_once: int, owners: str, first: str) -> None:
    """Before any turn ends, and after."""

    async def ask() -> None:
        queue = FairQueue(10, at_once)
        having: list[str] = []
        had: list[str] = []
        most: Counter[str] = Counter()
        going = asyncio.Event()

        async def one(owner: str) -> None:
            async with queue.turn(owner):
                having.append(owner)
                assert len(having) <= at_once
                most[owner] = max(most[owner], having.count(owner))
                await going.wait()
                await asyncio.sleep(0)
                having.remove(owner)
                had.append(owner)

        all_of_them = [asyncio.create_task(one(owner)) for owner in owners]
        await settled()
        assert "".join(having) == first
        going.set()
        await asyncio.gather(*all_of_them)
        assert sorted(had) == sorted(owners) and max(most.values()) <= max(1, at_once - 1)

    run(ask)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.booleans()), max_size=20),
)
def test_turns_are_neither_lost_nor_doubled(at_once: int, asked: list[tuple[str, int, bool]]) -> None:
    """Whoever asks, for however long, and gives up or not."""

    async def ask() -> None:
        queue = FairQueue(100, at_once)
        having: Counter[str] = Counter()

        async def one(owner: str, for_long: int) -> None:
            async with queue.turn(owner):
                having[owner] += 1
                assert having.total() <= at_once and having[owner] <= max(1, at_once - 1)
                for _ in range(for_long):
                    await asyncio.sleep(0)
                having[owner] -= 1

        started = []
        for owner, for_long, gives_up in asked:
            started.append(asyncio.create_task(one(owner, for_long)))
            await asyncio.sleep(0)
            if gives_up and not having[owner]:
                started[-1].cancel()
        await asyncio.wait_for(asyncio.gather(*started, return_exceptions=True), 10.0)
        # All of them are free again.
        assert await asyncio.wait_for(in_order(queue, "abcabc"), 10.0)
        assert queue._free == at_once and not queue._has and not queue._held

    run(ask)


@pytest.mark.parametrize("ends", [True, False])
def test_work_that_is_left_ends_or_goes_on(ends: bool) -> None:
    """Its sandbox is the next one's, at once or after it."""

    async def ask() -> None:
        sandbox = SandboxPool("Trying", ResourceLimits(GENEROUS_S, 1 << 40, 0), 9, ends_when_left=ends)
        try:
            first, kept_by = await sandbox.run("a", fakes.answer, 1)
            assert first == 1
            seconds = GENEROUS_S if ends else 1.0
            leaving = asyncio.create_task(sandbox.run("a", fakes.last, seconds))
            waiting = asyncio.create_task(sandbox.run("b", fakes.answer, 2))
            await asyncio.sleep(0.3)
            leaving.cancel()
            # Once more while it is waited for.
            await asyncio.sleep(0)
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
            second, pid = await asyncio.wait_for(waiting, GENEROUS_S / 2)
            assert second == 2 and (pid == kept_by) is not ends
            assert psutil.pid_exists(kept_by) is not ends
        finally:
            sandbox.close()

    run(ask)


def test_a_sandbox_that_is_closed_stops_its_work_and_begins_none() -> None:
    """Of one who is at work, of two who wait, and of one who comes later; and no process is left."""

    async def ask() -> None:
        sandbox = SandboxPool("Trying", ResourceLimits(GENEROUS_S, 1 << 40, 0), 9)
        _, pid = await sandbox.run("a", fakes.answer, 1)
        asked = [asyncio.create_task(sandbox.run(owner, fakes.last, GENEROUS_S)) for owner in "abc"]
        await asyncio.sleep(0.3)
        await asyncio.to_thread(sandbox.close)
        assert not psutil.pid_exists(pid)
        asked.append(asyncio.create_task(sandbox.run("d", fakes.answer, 2)))
        for refused in await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), GENEROUS_S / 2):
            assert isinstance(refused, ServiceEnds)
        assert [seat.sandbox.pid for seat in sandbox._slots] == [None]

    run(ask)


def test_a_sandbox_that_does_not_stop_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_pool, "CLOSE_S", 0.1)
    sandbox = SandboxPool("Trying", ResourceLimits(GENEROUS_S, 1 << 40, 0), 9)
    with sandbox._slots[0].is_taken:
        sandbox.close()


def test_work_that_is_begun_again_has_what_is_left_of_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[float] = []

    def lost(*given: Any, used_s: float, **more: Any) -> str:
        used.append(used_s)
        time.sleep(0.2)
        if len(used) == 1:
            raise ProcessLost
        return "answered"

    monkeypatch.setattr(sandbox_pool.SandboxedProcess, "run", lost)

    async def ask() -> None:
        sandbox = SandboxPool("Trying", ResourceLimits(GENEROUS_S, 1 << 40, 0), 9)
        assert await sandbox.run("a", print) == "answered"

    run(ask)
    assert used[0] == 0.0 and used[1] >= 0.2


def test_who_leaves_while_he_waits_has_no_turn() -> None:
    async def ask() -> None:
        sandbox = SandboxPool("Trying", ResourceLimits(GENEROUS_S, 1 << 40, 0), 1)
        try:
            async with sandbox._queue.turn("a"):
                left = asyncio.create_task(sandbox.run("b", fakes.answer, 1))
                await settled()
                left.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await left
                # His one place is free again.
                task = asyncio.create_task(sandbox.run("b", fakes.answer, 2))
                await settled()
                assert not task.done()
            assert (await task)[0] == 2
        finally:
            sandbox.close()

    run(ask)


def _answered(report: Any) -> str:
    del report
    return "answered"
