"""Large JSON texts are read in a thread, one after the other, and their bytes are limited."""

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


def thread_id(text: bytes) -> int:
    del text
    return threading.get_ident()


def test_small_texts_are_read_at_once_and_large_ones_in_a_thread() -> None:
    async def both() -> tuple[int, int]:
        reader = LargeJson()
        return await reader.read("ann", SMALL, thread_id), await reader.read("ann", LARGE, thread_id)

    small, large = asyncio.run(both())
    assert small == threading.get_ident() != large


@pytest.mark.parametrize("text", [b"{", b"[" * (LARGE_BYTES + 1)])
def test_errors_of_reading_are_raised(text: bytes) -> None:
    with pytest.raises(NotJson):
        asyncio.run(LargeJson().read("ann", text, parse))


def test_the_event_loop_runs_while_large_texts_are_read_and_owners_take_turns() -> None:
    order: list[str] = []

    def read_by(owner: str, text: bytes) -> None:
        # Like Python code, it holds the lock until another thread requests it.
        end_s = time.thread_time() + 0.1
        while time.thread_time() < end_s:
            pass
        order.append(owner)

    async def read_all() -> int:
        reader = LargeJson()
        tasks = [asyncio.create_task(reader.read(o, LARGE, partial(read_by, o))) for o in "aaaaab"]
        loop_turns = 0
        while not all(task.done() for task in tasks):
            loop_turns += 1
            await asyncio.sleep(0)
        return loop_turns

    # A blocked loop would turn about as often as there are texts.
    assert asyncio.run(read_all()) > 20
    assert sorted(order) == list("aaaaab") and "b" in order[:3]


def test_waiting_texts_of_other_owners_exclude_no_owner() -> None:
    may_end = threading.Event()

    def wait(text: bytes) -> bool:
        return may_end.wait(60.0)

    async def read_all() -> list[bool]:
        reader = LargeJson()
        tasks = [asyncio.create_task(reader.read(f"{n % 10}", LARGE, wait)) for n in range(1000)]
        tasks.append(asyncio.create_task(reader.read("last", LARGE, wait)))
        # All texts are waiting before the first is finished.
        await asyncio.sleep(0)
        may_end.set()
        return await asyncio.gather(*tasks)

    assert all(asyncio.run(read_all()))


# One call in C holds Python's lock: its lists and objects are limited


@pytest.mark.parametrize("opening", [b"[", b"{"])
def test_a_text_of_too_many_lists_and_objects_is_not_read(opening: bytes) -> None:
    texts: list[bytes] = []
    longest = opening * MOST_CONTAINERS
    asyncio.run(LargeJson().read("ann", longest, texts.append))
    assert texts == [longest]
    with pytest.raises(NotJson, match=f"more than {MOST_CONTAINERS} lists and objects"):
        asyncio.run(LargeJson().read("ann", longest + b"[", texts.append))
    assert texts == [longest]


def most_containers(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> int:
    """The greatest number of lists and objects in a value of a JSON schema, including itself."""
    if "$ref" in schema:
        return most_containers(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    choices = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if choices:
        return max(most_containers(choice, definitions) for choice in choices)
    if schema.get("type") == "array":
        of_items = [most_containers(part, definitions) for part in schema.get("prefixItems", ())]
        return 1 + (
            sum(of_items) if of_items else schema["maxItems"] * most_containers(schema["items"], definitions)
        )
    if schema.get("type") == "object":
        of_properties = sum(
            most_containers(part, definitions) for part in schema.get("properties", {}).values()
        )
        additional = schema.get("additionalProperties")
        of_additional = most_containers(additional, definitions) if isinstance(additional, dict) else 0
        return 1 + of_properties + schema.get("maxProperties", 0) * of_additional
    return 0


@pytest.mark.parametrize("model", [PlanRequest, NeedlesMessage, EvaluateBody, ReplanBody, SlicesBody])
def test_no_valid_body_exceeds_the_limit_of_lists_and_objects(model: type[BaseModel]) -> None:
    """Nor does one of twice the greatest length, so that its errors are reported."""
    schema = model.model_json_schema()
    assert 100 < 2 * most_containers(schema, schema["$defs"]) < MOST_CONTAINERS


def test_bytes_in_progress_are_limited_for_each_owner_and_released() -> None:
    rate_limiter = RateLimiter(per_s=1.0, burst=9, at_once=9, most_bytes=100)
    for owner in ("ann", "ann", "ben"):
        assert rate_limiter.take(owner) is None
    first, other, ben_bytes = (HeldBytes(rate_limiter, owner) for owner in ("ann", "ann", "ben"))
    first.hold(60)
    other.hold(40)
    for held_bytes in (first, other):
        with pytest.raises(Problem) as caught:
            held_bytes.hold(1)
        assert caught.value.report.kind == "too-many-requests"
    assert (first.size, other.size) == (60, 40)
    ben_bytes.hold(100)
    first.release(first.size)
    other.hold(60)
    assert (first.size, other.size) == (0, 100)
