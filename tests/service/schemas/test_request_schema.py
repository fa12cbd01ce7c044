"""The request: strict types, stated limits, pointers to every wrong field, and an exact round trip."""

import json
import math
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anatomy.errors import MAX_FIELD_LENGTH
from anatomy.patient.pose import Position
from anatomy.structures import Role
from planner.records.request.gauge import OUTSIDE_MM
from planner.records.request.needle import Needle
from planner.records.request.prescription import Prescription
from planner.records.request.request import Request
from planner.scores import SCORES
from service.schemas.appraisal import NeedlesBody
from service.schemas.json.messages import MAX_SHOWN
from service.schemas.json.ranges import limits_of
from service.schemas.json.strict import NotJson, Refused, parse, pointer, read_model
from service.schemas.request.model import MAX_REQUEST_BYTES, PlanRequest
from service.schemas.request.writer import request_to_json

LIMITS = limits_of(PlanRequest)
"""Limits of the numbers of a request, by pointer."""


def read(text: str | bytes) -> PlanRequest:
    return read_model(PlanRequest, text.encode() if isinstance(text, str) else text, MAX_REQUEST_BYTES)


def refusal(document: Any) -> dict[str, str]:
    with pytest.raises(Refused) as caught:
        read(json.dumps(document))
    return {e.pointer: e.detail for e in caught.value.errors}


NEEDED: dict[str, Any] = {
    "needle_set": {
        "given_needles": [{"entry_mm": [0.0, 0.0, 0.0], "tip_mm": [0.0, 90.0, 0.0]}],
        "given_seeds": [{"position_mm": [0.0, 0.0, 0.0], "axis": [0.0, 0.0, 1.0]}],
    },
    "prescription": {
        "prior_external": {"dose_gy": 60.0, "fractions": 30},
        "bed": {"protocols": ["RTOG_0813_5fx"]},
    },
}
"""Values that some fields require beside or above them."""


def example_pointer(limit_pointer: str) -> str:
    """A limit's pointer with a name for *, and the first place for #."""
    return limit_pointer.replace("*", SCORES[0].name).replace("#", "0")


def request_with(limit_pointer: str, value: Any) -> dict[str, Any]:
    """A request that sets one field."""
    document = deepcopy(NEEDED)
    inner: Any = document
    *folders, field = [
        int(p) if p == "0" else p for p in example_pointer(limit_pointer).strip("/").split("/")
    ]
    for part in folders:
        inner = inner[part] if isinstance(inner, list) else inner.setdefault(part, {})
    inner[field] = value
    return document


def allowed_values(limit_pointer: str) -> st.SearchStrategy[float]:
    limit = LIMITS[limit_pointer]
    return st.floats(limit.low, limit.high, allow_nan=False)


def test_an_empty_request_is_the_planners_defaults() -> None:
    assert read("{}").to_request() == replace(Request(), prescription=Prescription())


def numbers_in(schema: Any) -> list[dict[str, Any]]:
    """The numbers of a JSON Schema, at any depth."""
    if isinstance(schema, list):
        return [number for part in schema for number in numbers_in(part)]
    if not isinstance(schema, dict):
        return []
    here = [schema] if schema.get("type") in ("number", "integer") else []
    return here + numbers_in(list(schema.values()))


def test_every_number_of_the_request_has_a_limit_which_the_schema_states() -> None:
    numbers = numbers_in(PlanRequest.model_json_schema())
    assert len(numbers) > 40
    ranges = {(number["minimum"], number["maximum"], number["description"]) for number in numbers}
    assert ranges == {
        (limit.low, limit.high, f"{limit.unit}; {limit.reason}".removeprefix("; "))
        for limit in LIMITS.values()
    }


def test_a_request_inside_another_document_has_its_limits_too() -> None:
    body = {"paths": [NEEDED["needle_set"]["given_needles"][0]], "request": {"search": {"max_paths": 0}}}
    with pytest.raises(Refused) as caught:
        read_model(NeedlesBody, json.dumps(body).encode(), MAX_REQUEST_BYTES)
    [error] = caught.value.errors
    assert error.pointer == "/request/search/max_paths"
    assert error.detail.endswith(f"Give a number {LIMITS['/search/max_paths'].sentence()}.")


def test_every_limit_belongs_to_a_number_of_the_request() -> None:
    for limit_pointer, limit in LIMITS.items():
        too_large = limit.high * 2 + 1000
        field = example_pointer(limit_pointer)
        refused_fields = refusal(request_with(field, int(too_large) if too_large.is_integer() else too_large))
        assert list(refused_fields) == [field], limit_pointer
        assert limit.reason in refused_fields[field]
        assert f"from {limit.low:.10g} to {limit.high:.10g}" in refused_fields[field]


def test_numbers_below_a_limit_are_refused_with_value_and_range() -> None:
    refused_fields = refusal({"target": {"margin_mm": -3}})
    assert refused_fields["/target/margin_mm"].startswith("-3 is out of range. Give a number from 0 to 30 mm")


@pytest.mark.parametrize("limit_pointer", sorted(LIMITS))
@pytest.mark.parametrize("value", [True, False, "3", [3], {}])
def test_a_value_that_is_no_number_is_refused(limit_pointer: str, value: Any) -> None:
    field = example_pointer(limit_pointer)
    assert field in refusal(request_with(field, value))


MAY_BE_NULL = {
    *("/search/time_limit_s", "/target/min_chord_mm", "/prescription/goals/d90_gy"),
    "/prescription/prior_external/interval_days",
    *(f"/prescription/organ_goals/*/{part}_gy" for part in ("d0_1cc", "d1cc", "d2cc")),
}


@pytest.mark.parametrize("limit_pointer", sorted(set(LIMITS) - MAY_BE_NULL))
def test_null_is_refused_for_a_number_unless_it_has_a_meaning(limit_pointer: str) -> None:
    field = example_pointer(limit_pointer)
    assert field in refusal(request_with(field, None))


def test_no_time_limit_is_null() -> None:
    assert read('{"search": {"time_limit_s": null}}').to_request().search.time_limit_s is None


def test_no_least_chord_is_null() -> None:
    assert read('{"target": {"min_chord_mm": null}}').to_request().target.min_chord_mm is None
    assert read('{"target": {"min_chord_mm": 2}}').to_request().target.min_chord_mm == 2.0


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_nan_and_infinity_are_no_json(text: str) -> None:
    with pytest.raises(NotJson, match="no JSON number"):
        read(f'{{"target": {{"margin_mm": {text}}}}}')


def test_a_number_that_overflows_is_refused() -> None:
    with pytest.raises(Refused, match="/target/margin_mm"):
        read('{"target": {"margin_mm": 1e999}}')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "Expecting value at line 1, column 1"),
        (b'{"target": }', "line 1, column 12"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"random_seed": ' + b"9" * 5000 + b"}", "too many digits"),
        (b'{"random_seed": 1, "random_seed": 2}', "'random_seed' occurs twice"),
        (b'{"target": {"structure": "\\ud800"}}', "Invalid JSON"),
        (b" " * (MAX_REQUEST_BYTES + 1), "longer than"),
    ],
)
def test_invalid_json_is_refused_with_its_position(text: bytes, message: str) -> None:
    with pytest.raises(NotJson, match=message):
        read(text)


@pytest.mark.parametrize("document", [[], 3, None, "x"])
def test_a_request_is_an_object(document: Any) -> None:
    assert list(refusal(document)) == [""]


def test_unknown_fields_are_refused_with_the_nearest_known_one() -> None:
    refused_fields = refusal({"search": {"max_path": 3}, "exports": ["dicom"]})
    assert "Did you mean 'max_paths'?" in refused_fields["/search/max_path"]
    assert "Known: clearance_mm, needle, needle_set, pose, prescription" in refused_fields["/exports"]


def test_all_wrong_fields_are_reported_at_once() -> None:
    refused_fields = refusal({"target": {"margin_mm": -1}, "pose": {"position": "upright"}, "ranking": []})
    assert set(refused_fields) == {"/target/margin_mm", "/pose/position", "/ranking"}


def test_pointers_escape_names() -> None:
    assert list(refusal({"clearance_mm": {"a/b~c": -1}})) == ["/clearance_mm/a~1b~0c"]
    assert pointer(["a/b~c", 0]) == "/a~1b~0c/0"


def test_long_values_are_abbreviated() -> None:
    detail = refusal({"pose": {"position": "x" * 1000}})["/pose/position"]
    assert len(detail) < 4 * MAX_SHOWN


@pytest.mark.parametrize("document", [{"y" * 5000: 1}, {"clearance_mm": {"y" * 5000: -1}}])
def test_long_names_are_abbreviated(document: dict[str, Any]) -> None:
    [(field, detail)] = refusal(document).items()
    assert len(field) <= MAX_FIELD_LENGTH and len(detail) < 4 * MAX_FIELD_LENGTH
    assert "yyy ... yyy" in field


def test_roles_are_the_scenes() -> None:
    request = read(json.dumps({"roles": {f"s{n}": str(role) for n, role in enumerate(Role)}})).to_request()
    assert set(request.roles.values()) == {str(role) for role in Role}
    assert "/roles/x" in refusal({"roles": {"x": "forbiden"}})


@pytest.mark.parametrize(
    ("structure", "names"), [(None, ()), ("node_4R", ("node_4R",)), (["b", "a"], ("b", "a"))]
)
def test_a_target_is_none_one_or_several(structure: Any, names: tuple[str, ...]) -> None:
    request = read(json.dumps({"target": {"structure": structure}})).to_request()
    assert request.target.structures == names


@pytest.mark.parametrize("structure", [[], "", ["a", "a"], ["a", ""], 5, {"name": "a"}, "x" * 201])
def test_an_invalid_name_of_a_target_is_refused(structure: Any) -> None:
    assert all(p.startswith("/target/structure") for p in refusal({"target": {"structure": structure}}))


def test_a_default_clearance_remains_with_named_ones() -> None:
    assert dict(read('{"clearance_mm": {"aorta": 5}}').to_request().clearance_mm) == {
        "default": 2.0,
        "aorta": 5.0,
    }


def test_scores_are_the_planners() -> None:
    names = [score.name for score in SCORES]
    assert read(json.dumps({"ranking": names})).to_request().ranking == tuple(names)
    refused_fields = refusal({"ranking": ["lung_length_m"]})
    assert "Did you mean 'lung_length_mm'" in refused_fields["/ranking/0"]
    assert "known score" in next(iter(refusal({"ranking": {"weights": {"beauty": 1}}}).values()))


def test_weights_replace_the_ranking() -> None:
    request = read('{"ranking": {"weights": {"length_mm": 2, "lung_length_mm": 1}}}').to_request()
    assert dict(request.weights) == {"length_mm": 2.0, "lung_length_mm": 1.0}
    assert "/ranking/weights" in refusal({"ranking": {"weights": {}}})
    assert "/ranking" in refusal({"ranking": "lung_length_mm"})


def test_a_whole_number_may_be_written_with_a_point() -> None:
    """JSON Schema allows it, and several languages write it."""
    assert read('{"search": {"max_paths": 7.0}, "random_seed": 2e1}') == read(
        '{"search": {"max_paths": 7}, "random_seed": 20}'
    )
    assert "/random_seed" in refusal({"random_seed": 20.5})
    assert "/random_seed" in refusal({"random_seed": 1e300})


def test_the_schema_states_what_is_refused() -> None:
    schema = PlanRequest.model_json_schema()
    seed = schema["properties"]["random_seed"]
    assert (seed["minimum"], seed["maximum"]) == (0, 2**32 - 1)
    names, table = schema["properties"]["ranking"]["oneOf"]
    assert names["uniqueItems"] and names["items"]["enum"] == [score.name for score in SCORES]
    weights = schema["$defs"][table["$ref"].rpartition("/")[2]]["properties"]["weights"]
    assert weights["propertyNames"]["enum"] == names["items"]["enum"]
    target = schema["$defs"]["TargetModel"]["properties"]
    assert target["structure"]["oneOf"][1]["uniqueItems"] and target["cut_back"]["uniqueItems"]
    assert schema["$defs"]["BedRequestModel"]["properties"]["protocols"]["uniqueItems"]


def test_gauge_and_diameter_must_fit_each_other() -> None:
    def needle(**fields: object) -> Needle:
        return read(json.dumps({"needle": fields})).to_request().needle

    assert needle().gauge == "18G" and needle(gauge="18G").outer_diameter_mm == 1.27
    assert needle(gauge="17G", outer_diameter_mm=1.47) == needle(outer_diameter_mm=1.47)
    assert needle(outer_diameter_mm=1.47).gauge == "17G" and needle(outer_diameter_mm=1.0).gauge is None
    assert "outer_diameter_mm" in refusal({"needle": {"gauge": "17G"}})["/needle"]
    assert "1.20 to 1.30 mm" in refusal({"needle": {"gauge": "18G", "outer_diameter_mm": 1.47}})["/needle"]
    assert "leave it out" in refusal({"needle": {"gauge": "99G"}})["/needle"]
    assert "/needle/gauge" in refusal({"needle": {"gauge": "eighteen"}})


def test_ranges_of_gauges_do_not_overlap() -> None:
    ranges = sorted(OUTSIDE_MM.values())
    assert all(lower < upper for lower, upper in ranges)
    assert all(thinner[1] < thicker[0] for thinner, thicker in pairwise(ranges))


KINDS: list[tuple[Any, str, str]] = [
    ({"random_seed": 1.5}, "/random_seed", "1.5 is not a whole number. Give one, without quotes."),
    (
        {"search": {"max_paths": "3"}},
        "/search/max_paths",
        '"3" is not a whole number. Give one, without quotes.',
    ),
    ({"target": {"margin_mm": "5"}}, "/target/margin_mm", '"5" is not a number. Give one, without quotes.'),
    ({"target": []}, "/target", "[] is not an object. Give one in braces: {...}."),
    ({"clearance_mm": 3}, "/clearance_mm", "3 is not an object. Give one in braces: {...}."),
    ({"pose": {"table": None}}, "/pose/table", "null is not text. Give it in quotes."),
    ({"target": {"structure": []}}, "/target/structure", "[] has too few entries. Give at least 1."),
    ({"target": {"structure": ""}}, "/target/structure", '"" is empty. Give a name.'),
    ({"target": {"structure": ["a", "a"]}}, "/target/structure", "'a' is named twice. Name each once."),
    ({"needle": {"gauge": "18"}}, "/needle/gauge", '"18" is of another form. Give a gauge such as "18G".'),
    (
        {"pose": {"position": "sitting"}},
        "/pose/position",
        '"sitting" is not known. Known: supine, prone, left_lateral, right_lateral.',
    ),
    (
        {"roles": {"x": "forbiden"}},
        "/roles/x",
        "\"forbiden\" is not known. Did you mean 'forbidden'? "
        "Known: target, skin, forbidden, lung, passable, outside.",
    ),
    ({"ranking": []}, "/ranking", "[] has too few entries. Give at least 1."),
    ({"ranking": [5]}, "/ranking/0", "5 is not text. Give it in quotes."),
    ({"ranking": ["length_mm", "length_mm"]}, "/ranking", "'length_mm' is named twice. Name each once."),
    (
        {"ranking": 5},
        "/ranking",
        '5 is of another kind. Give a list of score names, or {"weights": {name: number}}.',
    ),
    (
        {"ranking": {"length_mm": 1}},
        "/ranking/length_mm",
        "Unknown field 'length_mm'. Known: weights.",
    ),
    ({"ranking": {}}, "/ranking/weights", "The field is missing. Give it."),
]


@pytest.mark.parametrize(("document", "field", "message"), KINDS)
def test_each_mistake_is_reported_once_in_plain_words(document: Any, field: str, message: str) -> None:
    assert refusal(document) == {field: message}


def test_one_mistake_of_several_in_a_list_hides_none() -> None:
    assert list(refusal({"ranking": ["x", 5, "length_mm"]})) == ["/ranking/0", "/ranking/1"]


def test_a_list_or_table_that_is_too_long_is_refused_with_its_limit() -> None:
    names = [str(n) for n in range(501)]
    assert refusal({"target": {"structure": names}})["/target/structure"].endswith(
        "Give at most 500 entries."
    )
    assert "at most 200 characters" in refusal({"target": {"structure": "x" * 201}})["/target/structure"]
    assert "at most 500 entries" in refusal({"roles": dict.fromkeys(names, "lung")})["/roles"]


@given(
    limit_pointer=st.sampled_from(
        [
            *(
                "/target",
                "/target/structure",
                "/needle/gauge",
                "/roles",
                "/roles/*",
                "/pose",
                "/pose/position",
            ),
            *("/pose/table", "/ranking", "/ranking/weights", "/seeds/model", *LIMITS),
            *("/seeds/implant_date", "/needle_set/arrangement", "/needle_set/given_needles", "/prescription"),
            *("/needle_set/given_needles/#/entry_mm", "/needle_set/given_seeds/#/axis", "/target/cut_back"),
            *("/prescription/goals", "/prescription/organ_goals/*", "/prescription/prior_external"),
            *("/prescription/bed/protocols", "/prescription/bed/protocols/#", "/robustness/placement"),
        ]
    ),
    value=st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    ),
)
def test_no_refusal_uses_the_validators_terms(limit_pointer: str, value: Any) -> None:
    try:
        read(json.dumps(request_with(example_pointer(limit_pointer), value)).replace("Infinity", "1e999"))
    except Refused as error:
        for field_error in error.errors:
            detail = field_error.detail.lower()
            assert not any(
                word in detail for word in ("tuple", "valid", "should", "input", "dictionary", "openapi")
            )


def test_a_byte_order_mark_is_accepted() -> None:
    assert read(b"\xef\xbb\xbf{}").to_request() == read("{}").to_request()
    with pytest.raises(NotJson, match="Save it as UTF-8"):
        read('{"random_seed": 1}'.encode("utf-16"))


def test_seed_spacing_below_the_minimum_is_refused() -> None:
    assert "Widen the one" in refusal({"seeds": {"spacing_mm": 6, "min_spacing_mm": 7}})["/seeds"]


@given(
    margin=allowed_values("/target/margin_mm"),
    clearances=st.dictionaries(
        st.text(min_size=1, max_size=20), allowed_values("/clearance_mm/*"), max_size=4
    ),
    roles=st.dictionaries(st.text(min_size=1, max_size=20), st.sampled_from(list(Role)), max_size=4),
    position=st.sampled_from(list(Position)),
    rotation=allowed_values("/pose/rotation_deg"),
    limit=st.none() | allowed_values("/search/time_limit_s"),
    paths=st.integers(1, 1000),
    weights=st.dictionaries(
        st.sampled_from([s.name for s in SCORES]),
        allowed_values("/ranking/weights/*"),
        min_size=0,
        max_size=3,
    ),
    names=st.lists(st.text(min_size=1, max_size=20), max_size=3, unique=True),
)
def test_a_request_reads_back_as_it_was_written(
    margin: float,
    clearances: dict[str, float],
    roles: dict[str, Role],
    position: Position,
    rotation: float,
    limit: float | None,
    paths: int,
    weights: dict[str, float],
    names: list[str],
) -> None:
    document: dict[str, Any] = {
        "target": {"structure": names or None, "margin_mm": margin, "min_chord_mm": None},
        "clearance_mm": clearances,
        "roles": {name: str(role) for name, role in roles.items()},
        "pose": {"position": str(position), "rotation_deg": rotation},
        "search": {"time_limit_s": limit, "max_paths": paths},
    }
    if weights:
        document["ranking"] = {"weights": weights}
    request = read(json.dumps(document)).to_request()
    assert request.target.margin_mm == margin and math.isfinite(margin)
    text = json.dumps(request_to_json(request))
    assert read(text).to_request() == request
    assert json.dumps(request_to_json(read(text).to_request())) == text


def test_the_order_of_names_does_not_change_the_text() -> None:
    request = read('{"clearance_mm": {"b": 1, "a": 2}, "roles": {"z": "lung", "y": "skin"}}').to_request()
    reordered = read('{"roles": {"y": "skin", "z": "lung"}, "clearance_mm": {"a": 2, "b": 1}}').to_request()
    assert json.dumps(request_to_json(request)) == json.dumps(request_to_json(reordered))


@given(st.binary(max_size=60))
def test_no_bytes_crash_the_parser(data: bytes) -> None:
    try:
        parse(data)
        read(data)
    except (NotJson, Refused) as error:
        assert str(error)
