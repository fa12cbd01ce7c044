"""Strict JSON under hostile texts: time grows as the text does, and what is answered of small ones stays."""

import gc
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from anatomy.errors import MAX_FIELD_LENGTH
from service.schemas.appraisal import NeedlesBody, NeedlesMessage
from service.schemas.in_patient import EvaluateBody, ReplanBody
from service.schemas.json import strict as strict_json
from service.schemas.json.messages import MAX_SHOWN, shown
from service.schemas.json.size_limits import too_much
from service.schemas.json.strict import MAX_ERRORS, FieldError, NotJson, Refused, parse, read_model
from service.schemas.plan.followup import EvaluationModel, ReplannedModel
from service.schemas.plan.model import PlanModel
from service.schemas.request.fields import each_once
from service.schemas.request.model import PlanRequest
from service.schemas.slices import SlicesBody

BODIES: list[type[BaseModel]] = [
    *(PlanRequest, NeedlesBody, NeedlesMessage, EvaluateBody, ReplanBody, SlicesBody),
]
SMALL, LARGE = 100_000, 400_000
"""Bytes of a hostile text, and of one four times as long."""

LINEAR = 2.0
"""So many times four times the time is still linear, on a machine that does other things as well: what is
quadratic takes four times that."""

SOON_S = 0.1
"""What takes less is not compared: a clock tells little of it."""


def refusal(model: type[BaseModel], text: str | bytes) -> tuple[FieldError, ...]:
    """What is wrong with a text as a model; nothing for a text that is no JSON, or is right."""
    try:
        read_model(model, text.encode() if isinstance(text, str) else text, 10 * LARGE)
    except Refused as error:
        return error.errors
    except NotJson:
        pass
    return ()


def listed(where: str, entry: Callable[[int], str]) -> Callable[[int], str]:
    """A text of about so many bytes, with a list of such entries at a place."""

    def text(size: int) -> str:
        entries = ",".join(entry(n) for n in range(size // (len(entry(0)) + 1)))
        return where.replace("@", entries)

    return text


def numbered(n: int) -> str:
    return f"{n:08x}"


HOSTILE: dict[str, Callable[[int], str]] = {
    "many names, one of them twice": listed('{@,"00000007":1}', lambda n: f'"{numbered(n)}":1'),
    "many names, each twice": listed("{@}", lambda n: f'"{numbered(n)}":1,"{numbered(n)}":1'),
    "many unknown names": listed("{@}", lambda n: f'"{numbered(n)}":1'),
    "unknown names in many objects": listed('{"paths":[@]}', lambda n: f'{{"{numbered(n)}":1}}'),
    "many unknown names deep inside": listed(
        '{"request":{"prescription":{"bed":{@}}}}', lambda n: f'"{numbered(n)}":1'
    ),
    "many entries of no object": listed('{"needle_set":{"given_needles":[@]}}', lambda n: "1"),
    "many empty entries": listed('{"needle_set":{"given_needles":[@]}}', lambda n: "{}"),
    "many wrong points": listed('{"seeds":[@]}', lambda n: '{"position_mm":[]}'),
    "many wrong roles": listed('{"roles":{@}}', lambda n: f'"{numbered(n)}":1'),
    "many unknown scores": listed('{"ranking":[@]}', lambda n: '"lung_lengt"'),
    "many unknown weights": listed('{"ranking":{"weights":{@}}}', lambda n: f'"{numbered(n)}":1'),
    "many unknown protocols": listed('{"prescription":{"bed":{"protocols":[@]}}}', lambda n: '"RTOG"'),
    "many names of structures": listed('{"target":{"structure":[@]}}', lambda n: f'"{numbered(n)}"'),
    "one long name": lambda size: f'{{"{"x" * size}":1}}',
    "few long names": listed("{@}", lambda n: f'"{numbered(n) * 4000}":1'),
    "one long text": lambda size: f'{{"random_seed":"{"x" * size}"}}',
    "one long number": lambda size: f'{{"random_seed":0.{"3" * size}}}',
    "many long numbers": listed('{"random_seed":[@]}', lambda n: "9" * 4200),
    "many lists in lists": lambda size: f'{{"random_seed":[{"[" * 150}{"1," * (size // 2)}1{"]" * 150}]}}',
    "an object in each of many names": listed('{"roles":{@}}', lambda n: f'"{numbered(n)}":{{"a":{{}}}}'),
}


@pytest.mark.representative(7)
@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_time_grows_as_the_text_does(name: str) -> None:
    def seconds(size: int) -> float:
        text = HOSTILE[name](size).encode()
        # A full collection visits all that other tests have made, however short the text is.
        gc.collect()
        gc.disable()
        try:
            began = time.process_time()
            for model in (PlanRequest, NeedlesMessage, ReplanBody):
                assert len(refusal(model, text)) <= MAX_ERRORS
            return time.process_time() - began
        finally:
            gc.enable()

    large = seconds(LARGE)
    if large > SOON_S:
        assert large < LINEAR * (LARGE / SMALL) * seconds(SMALL)


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_the_message_about_a_hostile_text_is_short(name: str) -> None:
    try:
        read_model(PlanRequest, HOSTILE[name](50_000).encode(), LARGE)
    except NotJson as error:
        assert len(str(error)) < 2 * MAX_FIELD_LENGTH
    except Refused as error:
        assert 1 <= len(error.errors) <= MAX_ERRORS
        for found in error.errors:
            assert len(found.pointer) <= MAX_FIELD_LENGTH and len(found.detail) < 4 * MAX_FIELD_LENGTH


def bounds(schema: Mapping[str, Any], defined: Mapping[str, Any], at: str) -> Iterator[tuple[str, bool]]:
    """Each list and table in a JSON schema, and whether the number of its entries has a bound."""
    if "$ref" in schema:
        yield from bounds(defined[schema["$ref"].rpartition("/")[2]], defined, at)
    for inner in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("prefixItems", ())):
        yield from bounds(inner, defined, at)
    if schema.get("type") == "array":
        yield at, "maxItems" in schema
        if "items" in schema:
            yield from bounds(schema["items"], defined, f"{at}/#")
    if schema.get("type") == "object":
        yield at, "maxProperties" in schema or schema.get("additionalProperties") is False
        for name, inner in schema.get("properties", {}).items():
            yield from bounds(inner, defined, f"{at}/{name}")
        if isinstance(schema.get("additionalProperties"), dict):
            yield from bounds(schema["additionalProperties"], defined, f"{at}/*")


@pytest.mark.parametrize("model", BODIES)
def test_nothing_in_a_body_is_without_end(model: type[BaseModel]) -> None:
    """Else a list of half a million mistakes would be validated whole."""
    schema = model.model_json_schema()
    found = dict(bounds(schema, schema.get("$defs", {}), ""))
    assert len(found) >= 4 and not [at for at, is_bounded in found.items() if not is_bounded]


@pytest.mark.parametrize("model", [*BODIES, PlanModel, EvaluationModel, ReplannedModel])
def test_every_model_can_be_searched_for_too_much(model: type[BaseModel]) -> None:
    found = list(too_much(model, {"no such name": 1}))
    assert [(excess.path, excess.kind) for excess in found] == [(("no such name",), "extra_forbidden")]


def without_search(model: type[BaseModel], document: Any) -> set[FieldError]:
    """All that validation alone says of a document."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_json, "_refuse_too_much", lambda model, document: None)
        patch.setattr(strict_json, "MAX_ERRORS", 100_000)
        return set(refusal(model, json.dumps(document)))


NAMES = st.sampled_from(["target", "roles", "ranking", "weights", "paths", "seeds", "needle_set", "x", "y"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=40,
)


@given(document=st.dictionaries(NAMES, VALUES, max_size=6), model=st.sampled_from(BODIES))
def test_small_texts_are_answered_as_validation_alone_answers_them(
    document: dict[str, Any], model: type[BaseModel]
) -> None:
    found, alone = refusal(model, json.dumps(document)), without_search(model, document)
    assert len(set(found)) == len(found) == min(len(alone), MAX_ERRORS)
    assert set(found) <= alone


def test_of_too_many_unknown_names_the_first_are_reported() -> None:
    refused_fields = refusal(PlanRequest, json.dumps({f"n{n}": 1 for n in range(50)} | {"random_seed": "1"}))
    assert [error.pointer for error in refused_fields] == [f"/n{n}" for n in range(MAX_ERRORS)]
    few = refusal(PlanRequest, json.dumps({f"n{n}": 1 for n in range(MAX_ERRORS - 1)} | {"random_seed": "1"}))
    assert len(few) == MAX_ERRORS and "/random_seed" in {error.pointer for error in few}


def test_a_list_that_is_too_long_is_reported_and_not_looked_into() -> None:
    [found] = refusal(NeedlesMessage, json.dumps({"paths": [{"x": 1}] * 1001}))
    assert found.pointer == "/paths" and found.detail.endswith("Give at most 1000 entries.")


@given(pairs=st.lists(st.sampled_from("abcdef"), max_size=8))
def test_a_name_that_occurs_twice_is_the_first_that_does(pairs: list[str]) -> None:
    text = "{" + ",".join(f'"{name}":1' for name in pairs) + "}"
    twin = next((name for name in pairs if pairs.count(name) > 1), None)
    if twin is None:
        assert parse(text.encode()) == dict.fromkeys(pairs, 1)
    else:
        with pytest.raises(NotJson, match=f"'{twin}' occurs twice"):
            parse(text.encode())


@given(names=st.lists(st.sampled_from("abcdef"), max_size=8))
def test_a_name_that_is_given_twice_is_the_first_that_comes_again(names: list[str]) -> None:
    twin = next((name for n, name in enumerate(names) if name in names[:n]), None)
    if twin is None:
        assert each_once(tuple(names)) == tuple(names)
    else:
        with pytest.raises(ValueError, match=f"'{twin}' is named twice"):
            each_once(tuple(names))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=2 * MAX_SHOWN),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=2 * MAX_SHOWN), inner),
        max_leaves=200,
    )
)
def test_a_value_is_shown_as_the_beginning_of_its_text(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert shown(value) == (text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + " ...")
