"""Large texts are read beside the event loop, one after the other, and hold so much."""

import asyncio
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel

from service.interactive.large_json import LARGE_BYTES, MOST_CONTAINERS, LargeJson
from service.schemas.appraisal import NeedlesMessage
from service.schemas.in_patient import EvaluateBody, ReplanBody
from service.schemas.json.strict import NotJson, parse
from service.schemas.request.model import PlanRequest
from service.schemas.slices import SlicesBody
from service.web.middleware.rate_limit import HeldBytes, RateLimiter
from service.web.problem_answers import Problem

SMALL, LARGE = b"1" * LARGE_BYTES, b"1" * (LARGE_BYTES + 1)


def this_thread(text: bytes) -> int:
    del text
    return threading.get_ident()


def test_small_texts_are_read_at_once_and_large_ones_in_a_thread() -> None:
    async def both() -> tuple[int, int]:
        reader = LargeJson()
        return await reader.read("ann", SMALL, this_thread), await reader.read("ann", LARGE, this_thread)

    small, large = asyncio.run(both())
    assert small == threading.get_ident() != large


@pytest.mark.parametrize("text", [b"{", b"[" * (LARGE_BYTES + 1)])
def test_what_reading_raises_is_raised(text: bytes) -> None:
    with pytest.raises(NotJson):
        asyncio.run(LargeJson().read("ann", text, parse))


def test_the_loop_goes_on_while_a_large_text_is_read_and_owners_take_turns() -> None:
    order: list[str] = []

    def read_by(owner: str, text: bytes) -> None:
        # As Python code does: it keeps the lock until another asks for it.
        end = time.thread_time() + 0.1
        while time.thread_time() < end:
            pass
        order.append(owner)

    async def all_at_once() -> int:
        reader = LargeJson()
        tasks = [asyncio.create_task(reader.read(o, LARGE, partial(read_by, o))) for o in "aaaaab"]
        turns = 0
        while not all(task.done() for task in tasks):
            turns += 1
            await asyncio.sleep(0)
        return turns

    # A loop that waited would turn about as often as there are texts.
    assert asyncio.run(all_at_once()) > 20
    assert sorted(order) == list("aaaaab") and "b" in order[:3]


def test_texts_of_others_that_wait_keep_nobody_out() -> None:
    let_go = threading.Event()

    def wait(text: bytes) -> bool:
        return let_go.wait(60.0)

    async def crowd() -> list[bool]:
        reader = LargeJson()
        tasks = [asyncio.create_task(reader.read(f"{n % 10}", LARGE, wait)) for n in range(1000)]
        tasks.append(asyncio.create_task(reader.read("last", LARGE, wait)))
        # All have come before the first is done.
        await asyncio.sleep(0)
        let_go.set()
        return await asyncio.gather(*tasks)

    assert all(asyncio.run(crowd()))


# One call in C keeps Python's lock: what it may take is counted


@pytest.mark.parametrize("opening", [b"[", b"{"])
def test_a_text_of_too_many_lists_and_objects_is_not_read(opening: bytes) -> None:
    read: list[bytes] = []
    most = opening * MOST_CONTAINERS
    asyncio.run(LargeJson().read("ann", most, read.append))
    assert read == [most]
    with pytest.raises(NotJson, match=f"more than {MOST_CONTAINERS} lists and objects"):
        asyncio.run(LargeJson().read("ann", most + b"[", read.append))
    assert read == [most]


def most_containers(schema: Mapping[str, Any], defined: Mapping[str, Any]) -> int:
    """The most lists and objects that a value of a JSON schema has, itself among them."""
    if "$ref" in schema:
        return most_containers(defined[schema["$ref"].rpartition("/")[2]], defined)
    choices = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if choices:
        return max(most_containers(choice, defined) for choice in choices)
    if schema.get("type") == "array":
        ends = [most_containers(inner, defined) for inner in schema.get("prefixItems", ())]
        return 1 + (sum(ends) if ends else schema["maxItems"] * most_containers(schema["items"], defined))
    if schema.get("type") == "object":
        named = sum(most_containers(inner, defined) for inner in schema.get("properties", {}).values())
        others = schema.get("additionalProperties")
        of_each = most_containers(others, defined) if isinstance(others, dict) else 0
        return 1 + named + schema.get("maxProperties", 0) * of_each
    return 0


@pytest.mark.parametrize("model", [PlanRequest, NeedlesMessage, EvaluateBody, ReplanBody, SlicesBody])
def test_every_body_that_a_model_takes_is_read(model: type[BaseModel]) -> None:
    """Twice as long as it may be, too: what is wrong with it is told."""
    schema = model.model_json_schema()
    assert 100 < 2 * most_containers(schema, schema["$defs"]) < MOST_CONTAINERS


def test_bytes_under_way_are_bounded_for_each_owner_and_free_again() -> None:
    rate_limiter = RateLimiter(per_s=1.0, burst=9, at_once=9, most_bytes=100)
    for owner in ("ann", "ann", "ben"):
        assert rate_limiter.take(owner) is None
    one, other, of_ben = (HeldBytes(rate_limiter, owner) for owner in ("ann", "ann", "ben"))
    one.hold(60)
    other.hold(40)
    for held in (one, other):
        with pytest.raises(Problem) as refused:
            held.hold(1)
        assert refused.value.report.kind == "too-many-requests"
    assert (one.size, other.size) == (60, 40)
    of_ben.hold(100)
    one.release(one.size)
    other.hold(60)
    assert (one.size, other.size) == (0, 100)
