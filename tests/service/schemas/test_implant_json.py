"""The JSON of needle set, dose, robustness, evaluations and replannings: exact in both directions, and
incomplete documents are refused."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from sample_implants import a_needle_set, a_path, a_replanning, an_evaluation, implant_plan
from wrong_values import pointers_refused

from planner.records.followup import Evaluation, Replanned
from planner.records.paths import Aim
from planner.records.plan import Plan
from planner.records.request.given import GivenNeedle, GivenSeed
from planner.records.request.needle_set import Arrangement, NeedleSetRequest
from planner.records.request.prescription import Prescription
from service.schemas.json.records import adapter
from service.schemas.json.strict import Refused
from service.schemas.plan.file import plan_sha256, plan_to_json, read_plan, write_plan
from service.schemas.plan.followup import EvaluationModel, ReplannedModel
from service.schemas.plan.followup_file import (
    read_evaluation,
    read_replanned,
    write_evaluation,
    write_replanned,
)
from service.schemas.plan.model import PlanModel
from service.schemas.request.model import PlanRequest

SHA256 = "5e" * 32


def test_a_plan_with_an_implant_reads_back_unchanged() -> None:
    plan = implant_plan()
    text = write_plan(plan)
    file = read_plan(text)
    assert file.plan == plan and file.claimed_sha256 == file.content_sha256
    assert write_plan(file.plan) == text


@pytest.mark.parametrize("absent", [("needle_set",), ("dose",), ("robustness",), ("dose", "robustness")])
def test_absent_parts_are_null(absent: tuple[str, ...]) -> None:
    plan = replace(implant_plan(), **dict.fromkeys(absent))
    document = plan_to_json(plan)
    assert [document[name] for name in absent] == [None] * len(absent)
    assert read_plan(write_plan(plan)).plan == plan


def test_the_implant_is_written_between_nearest_miss_and_verification() -> None:
    keys = list(plan_to_json(implant_plan()))
    last_keys = keys[keys.index("nearest_miss") :]
    assert last_keys == ["nearest_miss", "needle_set", "dose", "robustness", "verification"]


def test_the_documented_names_are_present() -> None:
    document = plan_to_json(implant_plan())
    documented = {"path_ids", "order", "conflicts_checked", "seeds", "lung_length_mm", "pleural_punctures"}
    assert documented | {"bound", "gap"} <= set(document["needle_set"])
    assert {"medium", "target", "organs", "dvh", "bed"} <= set(document["dose"])
    indices = {"d90_gy", "v100_percent", "v150_percent", "v200_percent", "ci", "ei", "hi"}
    assert indices <= set(document["dose"]["target"])
    assert [path["aim"] for path in document["paths"]] == ["target", "ptv"]


@pytest.mark.parametrize("aim", list(Aim))
def test_every_aim_reads_back(aim: Aim) -> None:
    plan = replace(implant_plan(), paths=(a_path("N1", aim), a_path("N2", Aim.PTV)))
    assert read_plan(write_plan(plan)).plan == plan


def test_a_request_with_given_needles_and_seeds_reads_back() -> None:
    plan = implant_plan()
    set_request = NeedleSetRequest(
        arrangement=Arrangement.PARALLEL,
        given_needles=(GivenNeedle((0.1, -90.0, 5.0), (0.1, 0.0, 5.0)),),
        given_seeds=(GivenSeed((0.1, 0.2, 0.3), (0.6, 0.8, 0.0)), GivenSeed((1.0, 2.0, 3.0))),
    )
    plan = replace(plan, request=replace(plan.request, needle_set=set_request))
    assert read_plan(write_plan(plan)).plan == plan


def test_whole_numbers_and_floats_give_the_same_text() -> None:
    plan = implant_plan()
    with_integer = replace(plan.request, prescription=Prescription(dose_gy=120))
    assert write_plan(replace(plan, request=with_integer)) == write_plan(plan)


def test_numpys_numbers_are_written_as_pythons() -> None:
    plan = implant_plan()
    seeds = tuple(replace(s, position_mm=tuple(np.array(s.position_mm))) for s in a_needle_set().seeds)
    needles = replace(a_needle_set(), seeds=seeds, gap=np.float64(0.12))
    assert write_plan(replace(plan, needle_set=needles)) == write_plan(plan)


WRONG: list[tuple[str, Any]] = [
    ("/paths/0/aim", "heart"),
    ("/needle_set/seeds/0/position_mm", [1.0, 2.0]),
    ("/needle_set/seeds/0/path_id", 1),
    ("/needle_set/seeds/0/depth_mm", "deep"),
    ("/needle_set/conflicts_checked", -1),
    ("/needle_set/cost", 1.0),
    ("/dose/target/d90_gy", -1.0),
    ("/dose/target/ci", None),
    ("/dose/organs/0/d2cc_gy", "much"),
    ("/dose/dvh/0/volume_percent/0", 120.0),
    ("/dose/goals/0/met", 1),
    ("/dose/bed/limits/0/met", "yes"),
    ("/robustness/needles/0/touches/0/chance", 1.5),
    ("/robustness/d90_gy/p50", True),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_value_is_refused_with_its_pointer(field: str, value: Any) -> None:
    [pointer] = pointers_refused(implant_plan(), field, value)
    assert pointer.startswith(field)


@pytest.mark.parametrize(
    ("model", "record"), [(PlanModel, Plan), (EvaluationModel, Evaluation), (ReplannedModel, Replanned)]
)
def test_every_field_of_every_record_is_described_and_required(model: type, record: type) -> None:
    """Models of a request and of an input file are excepted: there, an omitted field has a meaning."""
    schema = adapter(model).json_schema()
    assert {field.name for field in fields(record)} <= set(schema["required"])
    optional_models = {
        *PlanRequest.model_json_schema()["$defs"],
        "PlanRequest",
        "GivenSeedModel",
        "InputModel",
    }
    records = [s for name, s in schema["$defs"].items() if name not in optional_models and "enum" not in s]
    assert len(records) > 5
    for object_schema in (schema, *records):
        assert object_schema["required"] == list(object_schema["properties"]), object_schema["title"]
        assert object_schema["additionalProperties"] is False and object_schema["description"]


# Results

Write, Read = Callable[[Any], bytes], Callable[[bytes], Any]

RESULTS: list[tuple[Any, Write, Read]] = [
    (an_evaluation(SHA256, 4, None), write_evaluation, read_evaluation),
    (an_evaluation(SHA256, 4, implant_plan()), write_evaluation, read_evaluation),
    (replace(an_evaluation(SHA256, 4, None), planned=None), write_evaluation, read_evaluation),
    (a_replanning(SHA256, implant_plan()), write_replanned, read_replanned),
]


@pytest.mark.parametrize(("result", "write", "read"), RESULTS)
def test_a_result_reads_back_unchanged(
    result: Any, write: Callable[[Any], bytes], read: Callable[[bytes], Any]
) -> None:
    text = write(result)
    assert read(text) == result
    assert write(read(text)) == text
    document = json.loads(text)
    assert list(document) == [field.name for field in fields(result)]
    document["plan_sha256"] = "x"
    with pytest.raises(Refused, match="/plan_sha256"):
        read(json.dumps(document).encode())


def test_a_plan_inside_a_result_is_complete() -> None:
    plan: Plan = implant_plan()
    for text, key in (
        (write_evaluation(an_evaluation(SHA256, 4, plan)), "supplement"),
        (write_replanned(a_replanning(SHA256, plan)), "plan"),
    ):
        plan_document = json.loads(text)[key]
        assert plan_document["plan_sha256"] == plan_sha256(plan)
        assert read_plan(json.dumps(plan_document).encode()).plan == plan
