"""The request's parts about seeds, needle set, prescription and robustness: strict, and no contradictions."""

import json
from datetime import date
from math import hypot
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.published_limits.tables import PROTOCOLS
from planner.records.request.given import GivenNeedle, GivenSeed
from planner.records.request.needle_set import Arrangement, NeedleSetRequest
from planner.records.request.prescription import Goals, OrganGoal, Prescription, PriorExternal
from planner.records.request.request import Request
from planner.records.request.robustness import Placement, RobustnessRequest
from planner.records.request.seeds import SeedRequest
from planner.sources import SOURCES
from service.schemas.in_patient import MAX_FOUND_BYTES, EvaluateBody, NeedlesMeasured, SeedsFound
from service.schemas.json.ranges import limits_of
from service.schemas.json.strict import Refused, Strict, read_model
from service.schemas.request.model import MAX_REQUEST_BYTES, PlanRequest
from service.schemas.request.writer import request_to_json


def read(document: Any) -> Request:
    return read_model(PlanRequest, json.dumps(document).encode(), MAX_REQUEST_BYTES).to_request()


def refusal(document: Any, model: type[Strict] = PlanRequest) -> dict[str, str]:
    with pytest.raises(Refused) as caught:
        read_model(model, json.dumps(document).encode(), MAX_REQUEST_BYTES)
    return {e.pointer: e.detail for e in caught.value.errors}


# Defaults


def test_fields_that_are_left_out_have_the_planners_defaults() -> None:
    parsed = read({"seeds": {}, "needle_set": {}, "prescription": {}, "robustness": {}})
    assert parsed.seeds == SeedRequest() and parsed.needle_set == NeedleSetRequest()
    assert parsed.prescription == Prescription() and parsed.robustness == RobustnessRequest()
    assert parsed.target.cut_back == ()
    assert read({}) == parsed


def test_without_a_prescription_only_paths_are_requested() -> None:
    parsed = read({"prescription": None})
    assert parsed == Request()
    assert request_to_json(parsed)["prescription"] is None
    assert read(request_to_json(parsed)) == parsed


def test_every_field_reaches_the_planner() -> None:
    parsed = read(
        {
            "target": {"cut_back": ["aorta", "trachea"]},
            "seeds": {
                "model": "bebig_i25_s06",
                "activity_mci": 0.8,
                "calibration_date": "2026-03-01",
                "implant_date": "2026-03-31",
            },
            "needle_set": {
                "arrangement": "parallel",
                "grid_pitch_mm": 10,
                "max_needles": 9,
                "given_needles": [{"entry_mm": [0, -90, 5], "tip_mm": [0, 0, 5]}],
                "given_seeds": [
                    {"position_mm": [0, -2, 5], "axis": [0, 1, 0]},
                    {"position_mm": [5, -2, 5], "axis": None},
                    {"position_mm": [9, -2, 5]},
                ],
            },
            "prescription": {
                "dose_gy": 110,
                "goals": {"d90_gy": 130, "v100_percent": 90, "v150_percent": 60, "v200_percent": 40},
                "organ_goals": {"oesophagus": {"d0_1cc_gy": 90, "d2cc_gy": 70}},
                "prior_external": {"dose_gy": 60, "fractions": 30},
                "bed": {"protocols": []},
            },
            "robustness": {"placement": "robot", "samples": 0},
        }
    )
    assert parsed.target.cut_back == ("aorta", "trachea")
    assert parsed.seeds.implant_date == date(2026, 3, 31) and parsed.seeds.decay_days == 30.0
    assert parsed.seeds.model == "bebig_i25_s06" and parsed.seeds.activity_mci == 0.8
    needles = parsed.needle_set
    assert needles.arrangement is Arrangement.PARALLEL and needles.max_needles == 9
    assert needles.given_needles == (GivenNeedle((0.0, -90.0, 5.0), (0.0, 0.0, 5.0)),)
    assert needles.given_seeds[0] == GivenSeed((0.0, -2.0, 5.0), (0.0, 1.0, 0.0))
    assert [seed.axis for seed in needles.given_seeds[1:]] == [None, None]
    prescription = parsed.prescription
    assert prescription is not None and prescription.goals == Goals(130.0, 90.0, 60.0, 40.0)
    assert dict(prescription.organ_goals) == {"oesophagus": OrganGoal(90.0, None, 70.0)}
    assert prescription.prior_external == PriorExternal(60.0, 30) and prescription.bed.protocols == ()
    assert parsed.robustness == RobustnessRequest(Placement.ROBOT, 0)


def test_every_source_and_protocol_of_the_planner_may_be_named() -> None:
    for source in SOURCES:
        spacing = {"min_spacing_mm": max(5.0, source.seed_length_mm)}
        assert read({"seeds": {"model": source.name} | spacing}).seeds.model == source.name
    names = [protocol.name for protocol in PROTOCOLS]
    prescription = read({"prescription": {"bed": {"protocols": names}}}).prescription
    assert prescription is not None and prescription.bed.protocols == tuple(names)
    schema = PlanRequest.model_json_schema()["$defs"]
    assert schema["SeedsModel"]["properties"]["model"]["enum"] == [source.name for source in SOURCES]
    assert schema["BedRequestModel"]["properties"]["protocols"]["items"]["enum"] == names


# Refusals

NEEDLE = {"entry_mm": [0.0, 0.0, 0.0], "tip_mm": [0.0, 90.0, 0.0]}

CONTRADICTIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"seeds": {"model": "amersham_6710"}}, "/seeds/model", "Did you mean 'amersham_6711'"),
    ({"seeds": {"activity_mci": 0}}, "/seeds/activity_mci", "from 0.05 to 5 mCi"),
    ({"seeds": {"min_spacing_mm": 4.4}}, "/seeds/min_spacing_mm", "4.5 mm long"),
    (
        {"seeds": {"model": "best_2301", "min_spacing_mm": 4.8}},
        "/seeds",
        "min_spacing_mm 4.8 is below the seed's length: best_2301 is 5 mm long. Give at least that.",
    ),
    (
        {"seeds": {"calibration_date": "2026-03-31"}},
        "/seeds",
        "implant_date is missing: decay runs between two dates. Give it too, or leave both out.",
    ),
    ({"seeds": {"implant_date": "2026-03-31"}}, "/seeds", "calibration_date is missing"),
    (
        {"seeds": {"calibration_date": "2026-03-31", "implant_date": "2026-03-30"}},
        "/seeds",
        "calibration_date 2026-03-31 is after implant_date 2026-03-30.",
    ),
    (
        {"seeds": {"calibration_date": "2024-03-31", "implant_date": "2026-03-30"}},
        "/seeds",
        "729 days lie between",
    ),
    (
        {"needle_set": {"given_needles": [NEEDLE, NEEDLE], "max_needles": 1}},
        "/needle_set",
        "Raise max_needles",
    ),
    (
        {"needle_set": {"given_needles": [NEEDLE | {"tip_mm": [0.0, 0.5, 0.0]}]}},
        "/needle_set/given_needles/0",
        "entry_mm and tip_mm lie 0.5 mm apart, which is not a needle.",
    ),
    (
        {"needle_set": {"given_seeds": [{"position_mm": [0, 0, 0], "axis": [0, 0, 0]}]}},
        "/needle_set/given_seeds/0/axis",
        "The axis has length 0. Give a vector of length 1, or null.",
    ),
    (
        {"needle_set": {"given_seeds": [{"position_mm": [0, 0, 0], "axis": [0, 0.5, 0.8]}]}},
        "/needle_set/given_seeds/0/axis",
        "length 0.943",
    ),
    ({"needle_set": {"given_seeds": [{}]}}, "/needle_set/given_seeds/0/position_mm", "The field is missing."),
    (
        {"needle_set": {"given_needles": [NEEDLE] * 201}},
        "/needle_set/given_needles",
        "Give at most 200 entries.",
    ),
    ({"needle_set": {"arrangement": "fan"}}, "/needle_set/arrangement", "Known: free, parallel."),
    (
        {"prescription": {"goals": {"v150_percent": 40, "v200_percent": 45}}},
        "/prescription/goals",
        "v200_percent 45 is above v150_percent 40, but what gets 200 % gets 150 % too.",
    ),
    (
        {"prescription": {"goals": {"v150_percent": 101}}},
        "/prescription/goals/v150_percent",
        "from 0 to 100 %",
    ),
    (
        {"prescription": {"dose_gy": 100, "goals": {"d90_gy": 150}}},
        "/prescription",
        "d90_gy 150 has 90 % of the PTV get 1.5 times dose_gy 100, and v150_percent allows 70 %.",
    ),
    (
        {"prescription": {"dose_gy": 100, "goals": {"d90_gy": 200, "v150_percent": 95}}},
        "/prescription",
        "2 times dose_gy 100, and v200_percent allows 50 %.",
    ),
    (
        {"prescription": {"organ_goals": {"a/b": {"d0_1cc_gy": 60, "d2cc_gy": 70}}}},
        "/prescription/organ_goals/a~1b",
        "d0_1cc_gy 60 is below d2cc_gy 70",
    ),
    (
        {"prescription": {"organ_goals": {"aorta": {"d1cc_gy": 60, "d2cc_gy": 70}}}},
        "/prescription/organ_goals/aorta",
        "d1cc_gy 60 is below d2cc_gy 70",
    ),
    (
        {"prescription": {"prior_external": {"dose_gy": 60}}},
        "/prescription/prior_external/fractions",
        "missing",
    ),
    (
        {"prescription": {"bed": {"protocols": ["RTOG_0813"]}}},
        "/prescription/bed/protocols/0",
        "Did you mean",
    ),
    (
        {"prescription": {"bed": {"protocols": [PROTOCOLS[0].name] * 2}}},
        "/prescription/bed/protocols",
        "is named twice",
    ),
    ({"prescription": {"dose": 120}}, "/prescription/dose", "Did you mean 'dose_gy'?"),
    ({"prescription": 120}, "/prescription", "120 is not an object."),
    (
        {"robustness": {"placement": "hand"}},
        "/robustness/placement",
        "Known: template, robot, electromagnetic.",
    ),
    ({"target": {"cut_back": ["aorta", "aorta"]}}, "/target/cut_back", "'aorta' is named twice."),
    ({"target": {"cut_back": "aorta"}}, "/target/cut_back", '"aorta" is not a list.'),
]


@pytest.mark.parametrize(("document", "pointer", "message"), CONTRADICTIONS)
def test_a_contradiction_is_refused_with_its_pointer(
    document: dict[str, Any], pointer: str, message: str
) -> None:
    refused_fields = refusal(document)
    assert list(refused_fields) == [pointer]
    assert message in refused_fields[pointer]


@pytest.mark.parametrize(
    "value", ["31.03.2026", "2026-02-30", "2026-W13-2", "20260331", "2026-3-31", "", 5, True, []]
)
def test_a_date_is_year_month_and_day(value: Any) -> None:
    error_text = refusal({"seeds": {"calibration_date": value}})["/seeds/calibration_date"]
    assert 'is not a date. Give year, month and day in quotes: "2026-03-31".' in error_text


def test_goals_at_their_limits_are_accepted() -> None:
    read({"prescription": {"goals": {"v150_percent": 50, "v200_percent": 50}}})
    read({"prescription": {"dose_gy": 100, "goals": {"d90_gy": 150, "v150_percent": 90}}})
    read({"prescription": {"dose_gy": 100, "goals": {"d90_gy": 149.9}}})
    read({"prescription": {"organ_goals": {"aorta": {"d0_1cc_gy": 70, "d1cc_gy": 70, "d2cc_gy": 70}}}})
    read({"seeds": {"calibration_date": "2026-03-31", "implant_date": "2026-03-31"}})


# Writing

number = st.floats(-1.0, 1.0)
unit = st.tuples(number, number, number).filter(lambda v: hypot(*v) > 0.1)


@given(unit, st.floats(-9e-4, 9e-4))
def test_an_axis_of_nearly_length_1_is_normalised_once(
    vector: tuple[float, float, float], excess: float
) -> None:
    scale = (1.0 + excess) / hypot(*vector)
    seed = {"position_mm": [1, 2, 3], "axis": [x * scale for x in vector]}
    parsed = read({"needle_set": {"given_seeds": [seed]}})
    axis = parsed.needle_set.given_seeds[0].axis
    assert axis is not None and abs(hypot(*axis) - 1.0) < 1e-12
    assert read(request_to_json(parsed)) == parsed


@given(
    dates=st.none() | st.tuples(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 600)),
    seeds=st.lists(st.tuples(*[st.floats(-999.0, 999.0)] * 3), max_size=3),
    goals=st.dictionaries(st.text(min_size=1, max_size=9), st.floats(10.0, 99.0), max_size=3),
    prior=st.none() | st.tuples(st.floats(0.0, 99.0), st.integers(1, 40), st.none() | st.floats(0.0, 999.0)),
    arrangement=st.sampled_from(list(Arrangement)),
    cut_back=st.lists(st.text(min_size=1, max_size=9), max_size=3, unique=True),
)
def test_a_written_request_reads_back_unchanged(
    dates: Any, seeds: Any, goals: Any, prior: Any, arrangement: Arrangement, cut_back: list[str]
) -> None:
    document: dict[str, Any] = {
        "target": {"cut_back": cut_back},
        "needle_set": {
            "arrangement": str(arrangement),
            "given_seeds": [{"position_mm": list(place)} for place in seeds],
        },
        "prescription": {"organ_goals": {name: {"d1cc_gy": dose} for name, dose in goals.items()}},
    }
    if dates is not None:
        implant = date.fromordinal(dates[0].toordinal() + dates[1])
        document["seeds"] = {"calibration_date": str(dates[0]), "implant_date": str(implant)}
    if prior is not None:
        dose, fractions, days = prior
        document["prescription"]["prior_external"] = {
            "dose_gy": dose,
            "fractions": fractions,
            "interval_days": days,
        }
    parsed = read(document)
    text = json.dumps(request_to_json(parsed))
    request = read_model(PlanRequest, text.encode(), MAX_REQUEST_BYTES).to_request()
    assert request == parsed
    assert json.dumps(request_to_json(request)) == text


# Measurements in a patient


def test_every_measured_number_has_its_limit() -> None:
    measured = {
        "needles": [{"path_id": "N1", "entry_mm": [0, 0, 0], "tip_mm": [0, 9, 0]}],
        "seeds": [{"position_mm": [0, 0, 0], "axis": [0, 0, 1]}],
    }
    limits = limits_of(NeedlesMeasured)
    assert len(limits) == 4
    for pointer, limit in limits.items():
        document = json.loads(json.dumps(measured))
        part, _, name, _ = pointer.strip("/").split("/")
        document[part][0][name][0] = 1e9
        refused_fields = refusal(document, NeedlesMeasured)
        assert list(refused_fields) == [pointer.replace("#", "0")]
        assert limit.sentence() in next(iter(refused_fields.values()))


WRONG_MEASUREMENTS: list[tuple[type[Strict], Any, str, str]] = [
    (SeedsFound, {}, "/seeds", "The field is missing."),
    (SeedsFound, {"seeds": []}, "/seeds", "Give at least 1."),
    (SeedsFound, {"seeds": [{"position_mm": [0, 0, 0]}] * 501}, "/seeds", "Give at most 500 entries."),
    (SeedsFound, {"seeds": [{"position_mm": [0, 0, 0]}], "case": "x"}, "/case", "Known: seeds."),
    (EvaluateBody, {"seeds": [{"position_mm": [0, 0, 0]}], "case": "x"}, "/case", "Give a sha256"),
    (NeedlesMeasured, {"needles": []}, "/needles", "Give at least 1."),
    (NeedlesMeasured, {"needles": [NEEDLE | {"path_id": ""}]}, "/needles/0/path_id", "is empty"),
    (NeedlesMeasured, {"needles": [NEEDLE | {"tip_mm": [0, 0, 0]}]}, "/needles/0", "not a needle"),
    (
        NeedlesMeasured,
        {"needles": [NEEDLE | {"path_id": "N1"}] * 2},
        "",
        "Two needles stand for path 'N1'. Name it for one, and give null for the other.",
    ),
]


@pytest.mark.parametrize(("model", "document", "pointer", "message"), WRONG_MEASUREMENTS)
def test_measured_seeds_and_needles_are_read_strictly(
    model: type[Strict], document: Any, pointer: str, message: str
) -> None:
    refused_fields = refusal(document, model)
    assert list(refused_fields) == [pointer] and message in refused_fields[pointer]


def test_measured_seeds_and_needles_reach_the_planner() -> None:
    seeds = [{"position_mm": [1, 2, 3], "axis": [0, 0, 1]}, {"position_mm": [4, 5, 6], "axis": None}]
    measured_seeds = read_model(SeedsFound, json.dumps({"seeds": seeds}).encode(), MAX_FOUND_BYTES).seeds
    assert measured_seeds == (GivenSeed((1.0, 2.0, 3.0), (0.0, 0.0, 1.0)), GivenSeed((4.0, 5.0, 6.0), None))
    needles = {"needles": [NEEDLE, NEEDLE | {"path_id": None}, NEEDLE | {"path_id": "N1"}]}
    model = read_model(NeedlesMeasured, json.dumps(needles).encode(), MAX_FOUND_BYTES)
    assert [needle.path_id for needle in model.needles] == [None, None, "N1"] and model.seeds == ()
