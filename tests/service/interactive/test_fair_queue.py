"""FairQueue of sandboxes: turns at once, alternation of owners, and places of each owner are limited."""

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


async def let_others_run() -> None:
    """Let all other tasks run until they wait."""
    for _ in range(10):
        await asyncio.sleep(0)


async def in_order(queue: FairQueue, owners: str) -> str:
    """The owners in the order of their turns; all ask at once, and the first holds its turn meanwhile."""
    turn_order: list[str] = []
    may_end = asyncio.Event()

    async def hold_turn(owner: str) -> None:
        async with queue.turn(owner):
            turn_order.append(owner)
            await may_end.wait()

    tasks = [asyncio.create_task(hold_turn(owner)) for owner in owners]
    await let_others_run()
    may_end.set()
    await asyncio.gather(*tasks)
    return "".join(turn_order)


async def take_turn(queue: FairQueue, owner: str) -> str:
    async with queue.turn(owner):
        return owner


def run(coroutine: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(coroutine())


@pytest.mark.parametrize(
    ("owners", "turn_order"),
    [("aaaa", "aaaa"), ("aaaab", "aabaa"), ("aaabbc", "aabcab"), ("abab", "abab"), ("a", "a")],
)
def test_owners_take_turns(owners: str, turn_order: str) -> None:
    assert run(lambda: in_order(FairQueue(10), owners)) == turn_order


def test_places_taken_by_other_owners_cost_an_owner_none() -> None:
    async def scenario() -> None:
        queue = FairQueue(most_of_owner=2)
        async with queue.turn("first"):
            # Many owners take all places they may have.
            others = [asyncio.create_task(take_turn(queue, f"{n}")) for n in range(50) for _ in range(2)]
            await let_others_run()
            for n in range(50):
                with pytest.raises(QueueFull):
                    await take_turn(queue, f"{n}")
            accepted = [asyncio.create_task(take_turn(queue, owner)) for owner in ("first", "last", "last")]
            await let_others_run()
            with pytest.raises(QueueFull):
                await take_turn(queue, "first")
        assert await asyncio.gather(*accepted) == ["first", "last", "last"]
        await asyncio.gather(*others)
        # All places are free again.
        assert await in_order(queue, "aab") == "aab"

    run(scenario)


@pytest.mark.parametrize("after_its_turn", [False, True])
def test_a_cancelled_turn_goes_to_the_next_in_the_queue(after_its_turn: bool) -> None:
    async def scenario() -> None:
        queue = FairQueue(5)
        first = queue.turn("a")
        await first.__aenter__()
        cancelled, last = (asyncio.create_task(take_turn(queue, owner)) for owner in "bc")
        await let_others_run()
        if after_its_turn:
            await first.__aexit__(None, None, None)
        cancelled.cancel()
        await asyncio.sleep(0)
        if not after_its_turn:
            await first.__aexit__(None, None, None)
        assert await asyncio.wait_for(last, 10.0) == "c"
        await asyncio.wait([cancelled], timeout=10.0)
        assert cancelled.cancelled()

    run(scenario)


def test_cancelled_places_do_not_lower_their_owners_rank() -> None:
    async def scenario() -> str:
        queue, may_end = FairQueue(), asyncio.Event()
        turn_order: list[str] = []

        async def hold_turn(owner: str) -> None:
            async with queue.turn(owner):
                turn_order.append(owner)
                await may_end.wait()

        tasks = [asyncio.create_task(hold_turn(owner)) for owner in "xaaabb"]
        await let_others_run()
        for task in tasks[1:3]:
            task.cancel()
        await let_others_run()
        may_end.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not queue._waiting
        return "".join(turn_order)

    assert run(scenario) == "xabb"


def test_an_owner_who_cancels_all_places_is_forgotten() -> None:
    async def scenario() -> int:
        queue = FairQueue()
        async with queue.turn("x"):
            tasks = [asyncio.create_task(take_turn(queue, "a")) for _ in range(100)]
            await let_others_run()
            for task in tasks:
                task.cancel()
            await let_others_run()
            return len(queue._waiting)

    assert run(scenario) == 0


def test_an_owner_at_the_limit_gets_the_time_to_retry() -> None:
    async def scenario() -> None:
        sandbox = SandboxPool("Trying", ResourceLimits(60.0, 1 << 40, 0), most_of_owner=1)
        async with sandbox._queue.turn("a"):
            with pytest.raises(TooManyWaiting) as caught:
                await sandbox.run("a", print)
            assert problem_of(caught.value).headers == {"Retry-After": "1"}
            assert problem_of(caught.value).report.kind == "too-many-requests"
            other_owner = asyncio.create_task(sandbox.run("b", _answered))
            await let_others_run()
        try:
            assert await other_owner == "answered"
        finally:
            sandbox.close()

    run(scenario)


@pytest.mark.parametrize(
    ("capacity", "owners", "first_running"),
    [(1, "aab", "a"), (2, "aaa", "a"), (2, "aaab", "ab"), (2, "abc", "ab"), (3, "aaaabb", "aab")],
)
def test_one_owner_gets_at_most_all_turns_but_one(capacity: int, owners: str, first_running: str) -> None:
    """Before any turn ends and afterwards."""

    async def scenario() -> None:
        queue = FairQueue(10, capacity)
        running: list[str] = []
        finished: list[str] = []
        most: Counter[str] = Counter()
        may_end = asyncio.Event()

        async def hold_turn(owner: str) -> None:
            async with queue.turn(owner):
                running.append(owner)
                assert len(running) <= capacity
                most[owner] = max(most[owner], running.count(owner))
                await may_end.wait()
                await asyncio.sleep(0)
                running.remove(owner)
                finished.append(owner)

        tasks = [asyncio.create_task(hold_turn(owner)) for owner in owners]
        await let_others_run()
        assert "".join(running) == first_running
        may_end.set()
        await asyncio.gather(*tasks)
        assert sorted(finished) == sorted(owners) and max(most.values()) <= max(1, capacity - 1)

    run(scenario)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.booleans()), max_size=20),
)
def test_turns_are_neither_lost_nor_duplicated(capacity: int, visits: list[tuple[str, int, bool]]) -> None:
    """For any owners, any durations and any cancellations."""

    async def scenario() -> None:
        queue = FairQueue(100, capacity)
        running: Counter[str] = Counter()

        async def hold_turn(owner: str, steps: int) -> None:
            async with queue.turn(owner):
                running[owner] += 1
                assert running.total() <= capacity and running[owner] <= max(1, capacity - 1)
                for _ in range(steps):
                    await asyncio.sleep(0)
                running[owner] -= 1

        tasks = []
        for owner, steps, cancels in visits:
            tasks.append(asyncio.create_task(hold_turn(owner, steps)))
            await asyncio.sleep(0)
            if cancels and not running[owner]:
                tasks[-1].cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10.0)
        # All turns are free again.
        assert await asyncio.wait_for(in_order(queue, "abcabc"), 10.0)
        assert queue._free == capacity and not queue._has and not queue._held

    run(scenario)


@pytest.mark.parametrize("ends", [True, False])
def test_abandoned_work_ends_or_continues(ends: bool) -> None:
    """The next task gets a new sandbox, or the same one after the abandoned work has finished."""

    async def scenario() -> None:
        sandbox = SandboxPool("Trying", ResourceLimits(GENEROUS_S, 1 << 40, 0), 9, ends_when_left=ends)
        try:
            first, first_pid = await sandbox.run("a", fakes.answer, 1)
            assert first == 1
            seconds = GENEROUS_S if ends else 1.0
            abandoned = asyncio.create_task(sandbox.run("a", fakes.last, seconds))
            next_task = asyncio.create_task(sandbox.run("b", fakes.answer, 2))
            await asyncio.sleep(0.3)
            abandoned.cancel()
            # Cancelled a second time while the first cancellation is awaited.
            await asyncio.sleep(0)
            abandoned.cancel()
            with pytest.raises(asyncio.CancelledError):
                await abandoned
            second, pid = await asyncio.wait_for(next_task, GENEROUS_S / 2)
            assert second == 2 and (pid == first_pid) is not ends
            assert psutil.pid_exists(first_pid) is not ends
        finally:
            sandbox.close()

    run(scenario)


def test_a_closed_sandbox_stops_its_work_and_starts_none() -> None:
    """Work of one running task, of two waiting ones and of a later one; and no process is left."""

    async def scenario() -> None:
        sandbox = SandboxPool("Trying", ResourceLimits(GENEROUS_S, 1 << 40, 0), 9)
        _, pid = await sandbox.run("a", fakes.answer, 1)
        tasks = [asyncio.create_task(sandbox.run(owner, fakes.last, GENEROUS_S)) for owner in "abc"]
        await asyncio.sleep(0.3)
        await asyncio.to_thread(sandbox.close)
        assert not psutil.pid_exists(pid)
        tasks.append(asyncio.create_task(sandbox.run("d", fakes.answer, 2)))
        for error in await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), GENEROUS_S / 2):
            assert isinstance(error, ServiceEnds)
        assert [slot.sandbox.pid for slot in sandbox._slots] == [None]

    run(scenario)


def test_a_sandbox_that_does_not_stop_does_not_delay_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_pool, "CLOSE_S", 0.1)
    sandbox = SandboxPool("Trying", ResourceLimits(GENEROUS_S, 1 << 40, 0), 9)
    with sandbox._slots[0].is_taken:
        sandbox.close()


def test_restarted_work_has_only_its_remaining_time(monkeypatch: pytest.MonkeyPatch) -> None:
    used_times_s: list[float] = []

    def run_after_a_loss(*arguments: Any, used_s: float, **options: Any) -> str:
        used_times_s.append(used_s)
        time.sleep(0.2)
        if len(used_times_s) == 1:
            raise ProcessLost
        return "answered"

    monkeypatch.setattr(sandbox_pool.SandboxedProcess, "run", run_after_a_loss)

    async def scenario() -> None:
        sandbox = SandboxPool("Trying", ResourceLimits(GENEROUS_S, 1 << 40, 0), 9)
        assert await sandbox.run("a", print) == "answered"

    run(scenario)
    assert used_times_s[0] == 0.0 and used_times_s[1] >= 0.2


def test_a_request_cancelled_in_the_queue_gets_no_turn() -> None:
    async def scenario() -> None:
        sandbox = SandboxPool("Trying", ResourceLimits(GENEROUS_S, 1 << 40, 0), 1)
        try:
            async with sandbox._queue.turn("a"):
                cancelled = asyncio.create_task(sandbox.run("b", fakes.answer, 1))
                await let_others_run()
                cancelled.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await cancelled
                # The one place of this owner is free again.
                task = asyncio.create_task(sandbox.run("b", fakes.answer, 2))
                await let_others_run()
                assert not task.done()
            assert (await task)[0] == 2
        finally:
            sandbox.close()

    run(scenario)


def _answered(report: Any) -> str:
    del report
    return "answered"
