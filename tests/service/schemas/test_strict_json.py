"""Strict JSON and hostile texts: time grows linearly, and small texts get the answers of validation alone."""

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
"""A text four times as long may take this many times four times the time and still count as linear, on a
machine that does other work too; quadratic time would be four times that."""

SOON_S = 0.1
"""Shorter times are not compared: the clock is too coarse for them."""


def refusal(model: type[BaseModel], text: str | bytes) -> tuple[FieldError, ...]:
    """The errors of a text read as a model; none for invalid JSON or a valid text."""
    try:
        read_model(model, text.encode() if isinstance(text, str) else text, 10 * LARGE)
    except Refused as error:
        return error.errors
    except NotJson:
        pass
    return ()


def text_with_list(template: str, entry: Callable[[int], str]) -> Callable[[int], str]:
    """Makes texts of about a given size: the template with a list of entries in place of @."""

    def text(size: int) -> str:
        entries = ",".join(entry(n) for n in range(size // (len(entry(0)) + 1)))
        return template.replace("@", entries)

    return text


def hex_name(n: int) -> str:
    return f"{n:08x}"


HOSTILE: dict[str, Callable[[int], str]] = {
    "many names, one of them twice": text_with_list('{@,"00000007":1}', lambda n: f'"{hex_name(n)}":1'),
    "many names, each twice": text_with_list("{@}", lambda n: f'"{hex_name(n)}":1,"{hex_name(n)}":1'),
    "many unknown names": text_with_list("{@}", lambda n: f'"{hex_name(n)}":1'),
    "unknown names in many objects": text_with_list('{"paths":[@]}', lambda n: f'{{"{hex_name(n)}":1}}'),
    "many unknown names deep inside": text_with_list(
        '{"request":{"prescription":{"bed":{@}}}}', lambda n: f'"{hex_name(n)}":1'
    ),
    "many entries of no object": text_with_list('{"needle_set":{"given_needles":[@]}}', lambda n: "1"),
    "many empty entries": text_with_list('{"needle_set":{"given_needles":[@]}}', lambda n: "{}"),
    "many wrong points": text_with_list('{"seeds":[@]}', lambda n: '{"position_mm":[]}'),
    "many wrong roles": text_with_list('{"roles":{@}}', lambda n: f'"{hex_name(n)}":1'),
    "many unknown scores": text_with_list('{"ranking":[@]}', lambda n: '"lung_lengt"'),
    "many unknown weights": text_with_list('{"ranking":{"weights":{@}}}', lambda n: f'"{hex_name(n)}":1'),
    "many unknown protocols": text_with_list(
        '{"prescription":{"bed":{"protocols":[@]}}}', lambda n: '"RTOG"'
    ),
    "many names of structures": text_with_list('{"target":{"structure":[@]}}', lambda n: f'"{hex_name(n)}"'),
    "one long name": lambda size: f'{{"{"x" * size}":1}}',
    "few long names": text_with_list("{@}", lambda n: f'"{hex_name(n) * 4000}":1'),
    "one long text": lambda size: f'{{"random_seed":"{"x" * size}"}}',
    "one long number": lambda size: f'{{"random_seed":0.{"3" * size}}}',
    "many long numbers": text_with_list('{"random_seed":[@]}', lambda n: "9" * 4200),
    "many lists in lists": lambda size: f'{{"random_seed":[{"[" * 150}{"1," * (size // 2)}1{"]" * 150}]}}',
    "an object in each of many names": text_with_list(
        '{"roles":{@}}', lambda n: f'"{hex_name(n)}":{{"a":{{}}}}'
    ),
}


@pytest.mark.representative(7)
@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_time_grows_linearly_with_the_text(name: str) -> None:
    def seconds(size: int) -> float:
        text = HOSTILE[name](size).encode()
        # A full garbage collection visits the objects of all other tests, however short the text is.
        gc.collect()
        gc.disable()
        try:
            start_s = time.process_time()
            for model in (PlanRequest, NeedlesMessage, ReplanBody):
                assert len(refusal(model, text)) <= MAX_ERRORS
            return time.process_time() - start_s
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
        for field_error in error.errors:
            assert (
                len(field_error.pointer) <= MAX_FIELD_LENGTH
                and len(field_error.detail) < 4 * MAX_FIELD_LENGTH
            )


def bounds(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], pointer: str
) -> Iterator[tuple[str, bool]]:
    """Each list and table in a JSON schema, and whether the number of its entries has a bound."""
    if "$ref" in schema:
        yield from bounds(definitions[schema["$ref"].rpartition("/")[2]], definitions, pointer)
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("prefixItems", ())):
        yield from bounds(part, definitions, pointer)
    if schema.get("type") == "array":
        yield pointer, "maxItems" in schema
        if "items" in schema:
            yield from bounds(schema["items"], definitions, f"{pointer}/#")
    if schema.get("type") == "object":
        yield pointer, "maxProperties" in schema or schema.get("additionalProperties") is False
        for name, part in schema.get("properties", {}).items():
            yield from bounds(part, definitions, f"{pointer}/{name}")
        if isinstance(schema.get("additionalProperties"), dict):
            yield from bounds(schema["additionalProperties"], definitions, f"{pointer}/*")


@pytest.mark.parametrize("model", BODIES)
def test_every_list_and_table_of_a_body_is_bounded(model: type[BaseModel]) -> None:
    """Otherwise half a million wrong entries would all be validated."""
    schema = model.model_json_schema()
    bound_of_pointer = dict(bounds(schema, schema.get("$defs", {}), ""))
    assert len(bound_of_pointer) >= 4 and not [
        pointer for pointer, is_bounded in bound_of_pointer.items() if not is_bounded
    ]


@pytest.mark.parametrize("model", [*BODIES, PlanModel, EvaluationModel, ReplannedModel])
def test_every_model_can_be_searched_for_excess(model: type[BaseModel]) -> None:
    excesses = list(too_much(model, {"no such name": 1}))
    assert [(excess.path, excess.kind) for excess in excesses] == [(("no such name",), "extra_forbidden")]


def without_search(model: type[BaseModel], document: Any) -> set[FieldError]:
    """All errors that validation alone finds in a document."""
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
def test_small_texts_are_answered_as_by_validation_alone(
    document: dict[str, Any], model: type[BaseModel]
) -> None:
    errors, validation_errors = refusal(model, json.dumps(document)), without_search(model, document)
    assert len(set(errors)) == len(errors) == min(len(validation_errors), MAX_ERRORS)
    assert set(errors) <= validation_errors


def test_of_too_many_unknown_names_the_first_are_reported() -> None:
    refused_fields = refusal(PlanRequest, json.dumps({f"n{n}": 1 for n in range(50)} | {"random_seed": "1"}))
    assert [error.pointer for error in refused_fields] == [f"/n{n}" for n in range(MAX_ERRORS)]
    fewer_errors = refusal(
        PlanRequest, json.dumps({f"n{n}": 1 for n in range(MAX_ERRORS - 1)} | {"random_seed": "1"})
    )
    assert len(fewer_errors) == MAX_ERRORS and "/random_seed" in {error.pointer for error in fewer_errors}


def test_a_list_that_is_too_long_is_reported_and_its_entries_are_not() -> None:
    [field_error] = refusal(NeedlesMessage, json.dumps({"paths": [{"x": 1}] * 1001}))
    assert field_error.pointer == "/paths" and field_error.detail.endswith("Give at most 1000 entries.")


@given(names=st.lists(st.sampled_from("abcdef"), max_size=8))
def test_the_first_repeated_name_of_an_object_is_reported(names: list[str]) -> None:
    text = "{" + ",".join(f'"{name}":1' for name in names) + "}"
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is None:
        assert parse(text.encode()) == dict.fromkeys(names, 1)
    else:
        with pytest.raises(NotJson, match=f"'{repeated}' occurs twice"):
            parse(text.encode())


@given(names=st.lists(st.sampled_from("abcdef"), max_size=8))
def test_the_first_repeated_name_of_a_list_is_reported(names: list[str]) -> None:
    repeated = next((name for n, name in enumerate(names) if name in names[:n]), None)
    if repeated is None:
        assert each_once(tuple(names)) == tuple(names)
    else:
        with pytest.raises(ValueError, match=f"'{repeated}' is named twice"):
            each_once(tuple(names))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=2 * MAX_SHOWN),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=2 * MAX_SHOWN), inner),
        max_leaves=200,
    )
)
def test_a_long_value_is_shown_by_the_start_of_its_text(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert shown(value) == (text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + " ...")
