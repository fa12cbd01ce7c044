"""The plan's JSON: the documented keys, equal bytes for equal plans, and incomplete documents are refused."""

import dataclasses
import hashlib
import json
import math
import re
import tomllib
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import pytest
from bare_plans import BARE_PATH, BARE_PLAN
from hypothesis import given
from hypothesis import strategies as st
from sample_implants import implant_plan
from wrong_values import pointers_refused

from anatomy.structures import InputDigest
from planner import NAME, SOFTWARE, VERSION
from planner.records.paths import Crossing, Path, SeedDrop, Window, WindowPlace
from planner.records.plan import Outcome, Plan, Status
from planner.records.search import Blocker, Constraint, NearestMiss, Proof, Relaxation, SearchReport
from planner.records.verification import Check, Verification
from service.schemas.json.strict import NotJson, Refused
from service.schemas.plan.file import (
    UnreadablePlanFile,
    plan_sha256,
    plan_to_json,
    read_kept_plan,
    read_plan,
    write_plan,
)

# The contract's keys that this plan holds, in the contract's order.
CONTRACT = [
    *("schema", "plan_sha256", "software", "inputs", "frame", "request", "outcome", "search", "paths"),
    *("windows", "blocked_by", "missing_structures", "nearest_miss"),
    *("needle_set", "dose", "robustness", "verification"),
]
CONTRACT_PATH = [
    *("id", "rank", "window", "approach", "entry_mm", "tip_mm", "direction", "length_mm", "lung_length_mm"),
    *("pleural_punctures", "fissures_crossed", "clearance_mm", "nearest_structure", "crosses"),
    *("axial_angle_deg", "craniocaudal_angle_deg", "target_chord_mm", "seeds"),
]


def a_path() -> Path:
    drop = SeedDrop((1.0, 2.0, 3.0), (0.0, 1.0, 0.0), 57.75, 0.0)
    return dataclasses.replace(
        BARE_PATH,
        window="parasternal right",
        entry_mm=(0.1, -100.0, 0.0),
        tip_mm=(0.1, -40.0, 0.0),
        length_mm=60.0,
        clearance_mm=2.5,
        nearest_structure="aorta",
        crosses=(Crossing("node_4R", 40.0, 60.0),),
        craniocaudal_angle_deg=-1e-17,
        target_chord_mm=20.0,
        seeds=(drop,),
    )


def a_plan(**changes: Any) -> Plan:
    miss = NearestMiss(
        (0.0, 0.0, 0.0),
        (0.0, 60.0, 0.0),
        Constraint.CLEARANCE,
        "aorta",
        0.7,
        (
            Relaxation(
                Constraint.CLEARANCE,
                "/clearance_mm/aorta",
                "aorta",
                2.0,
                1.3,
                (0.0, 0.0, 0.0),
                (0.0, 60.0, 0.0),
                4.0,
            ),
        ),
    )
    plan = dataclasses.replace(
        BARE_PLAN,
        inputs=(InputDigest("labels.nii.gz", "0" * 64),),
        roles=(("node_4R", "target"), ("Aorta ä", "forbidden")),
        missing_structures=("azygos vein",),
        notes=("x is empty and was left out.",),
        outcome=Outcome(Status.PLANNED, "1 path."),
        search=SearchReport(10, 5, 2, 2.0, True, 0.0, 0.0, 0.0, Proof.SAFE_LINE_NEAR_EACH, ("claim",)),
        paths=(a_path(),),
        windows=(
            Window(
                "w1",
                "parasternal right",
                WindowPlace("parasternal", "right", None, None, None),
                ("p1",),
                40.5,
                0.0,
            ),
        ),
        blocked_by=(Blocker(Constraint.CLEARANCE, "aorta", 0.25),),
        nearest_miss=miss,
        verification=Verification(
            True,
            (Check("length_mm", "p1", 60.0, 60.0, 1e-6, True), Check("sha", "in", "a", "a", 0.0, True)),
            ("/software",),
        ),
    )
    return dataclasses.replace(plan, **changes)


def test_keys_are_the_documented_ones_in_their_order() -> None:
    document = plan_to_json(a_plan())
    assert [key for key in document if key in CONTRACT] == CONTRACT
    path = document["paths"][0]
    assert [key for key in path if key in CONTRACT_PATH] == CONTRACT_PATH
    assert list(path["seeds"][0]) == ["position_mm", "axis", "depth_mm", "retraction_mm"]
    assert list(path["crosses"][0]) == ["structure", "from_mm", "to_mm"]
    assert document["schema"] == "seedpath.plan/3" and document["frame"] == "LPS"
    assert document["roles"] == {"node_4R": "target", "Aorta ä": "forbidden"}


def test_a_plan_reads_back_unchanged() -> None:
    plan = a_plan()
    file = read_plan(write_plan(plan))
    assert file.plan == plan
    assert file.claimed_sha256 == file.content_sha256 == plan_sha256(plan)
    assert write_plan(file.plan) == write_plan(plan)


@pytest.mark.parametrize("changes", [{"nearest_miss": None}, {"verification": None}, {"paths": ()}])
def test_absent_parts_read_back_as_absent(changes: dict[str, Any]) -> None:
    plan = a_plan(**changes)
    assert read_plan(write_plan(plan)).plan == plan


def test_the_hash_is_that_of_the_text_without_its_line() -> None:
    text = write_plan(a_plan()).decode()
    text_without_hash = re.sub(r'^ "plan_sha256": "[0-9a-f]{64}",\n', "", text, count=1, flags=re.MULTILINE)
    assert hashlib.sha256(text_without_hash.encode()).hexdigest() == json.loads(text)["plan_sha256"]


def test_the_software_is_the_distributions_version(repository: FilePath) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (project["name"], project["version"]) == (NAME, VERSION)
    assert f"{NAME} {VERSION}" == SOFTWARE


def test_any_change_of_content_changes_the_hash() -> None:
    document = json.loads(write_plan(a_plan()))
    document["paths"][0]["clearance_mm"] = 2.6
    file = read_plan(json.dumps(document).encode())
    assert file.claimed_sha256 != file.content_sha256


def test_layout_alone_does_not_change_the_content() -> None:
    document = json.loads(write_plan(a_plan()))
    file = read_plan(json.dumps(document, separators=(",", ":")).encode())
    assert file.claimed_sha256 == file.content_sha256


def test_numpys_numbers_are_written_as_pythons() -> None:
    plan = a_plan()
    path = dataclasses.replace(
        a_path(), lung_length_mm=np.float64(0.0), tip_mm=tuple(np.array([0.1, -40.0, 0.0]))
    )
    assert write_plan(a_plan(paths=(path,))) == write_plan(plan)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_plan_holds_nan_or_infinity(value: float) -> None:
    plan = a_plan(paths=(dataclasses.replace(a_path(), clearance_mm=value),))
    with pytest.raises(ValueError):
        write_plan(plan)
    text = write_plan(a_plan()).replace(b'"clearance_mm": 2.5', b'"clearance_mm": NaN')
    with pytest.raises(NotJson):
        read_plan(text)


WRONG: list[tuple[str, Any]] = [
    ("/schema", "seedpath.plan/1"),
    ("/plan_sha256", "abc"),
    ("/frame", "RAS"),
    ("/inputs/0/sha256", "0" * 63),
    ("/outcome/status", "fine"),
    ("/search/complete", "true"),
    ("/search/lines_tested", 1.5),
    ("/search/lines_tested", -1),
    ("/paths/0/rank", "1"),
    ("/paths/0/entry_mm", [1.0, 2.0]),
    ("/paths/0/entry_mm/1", "left"),
    ("/paths/0/length_mm", -1.0),
    ("/paths/0/seeds/0/depth_mm", None),
    ("/paths/0/crosses/0/structure", 4),
    ("/roles/node_4R", "treasure"),
    ("/request/target/margin_mm", -5.0),
    ("/blocked_by/0/share", 1.5),
    ("/verification/passed", 1),
    ("/unknown", 1),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_value_is_refused_with_its_pointer(field: str, value: Any) -> None:
    pointers = pointers_refused(a_plan(), field, value)
    assert all(pointer.startswith(field) for pointer in pointers), pointers


def test_a_plan_of_another_version_is_refused_only_for_its_version() -> None:
    """Fields that only this version has are not reported as missing."""
    document = json.loads(write_plan(a_plan())) | {"schema": "seedpath.plan/1", "of_old": 1}
    del document["notes"]
    with pytest.raises(Refused) as caught:
        read_plan(json.dumps(document).encode())
    (error,) = caught.value.errors
    assert error.pointer == "/schema" and "another version of this software" in error.detail
    assert '"seedpath.plan/1"' in error.detail and error.detail.endswith("Make the plan again.")


@pytest.mark.parametrize("key", list(plan_to_json(a_plan())))
def test_a_missing_part_is_refused(key: str) -> None:
    document = json.loads(write_plan(a_plan()))
    del document[key]
    with pytest.raises(Refused) as caught:
        read_plan(json.dumps(document).encode())
    errors = [(e.pointer, e.detail) for e in caught.value.errors]
    assert errors == [(f"/{key}", "The field is missing. Give it.")]


@given(st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20))
def test_every_float_and_text_reads_back_exactly(value: float, text: str) -> None:
    path = dataclasses.replace(a_path(), clearance_mm=value, nearest_structure=text)
    plan = a_plan(paths=(path,))
    assert read_plan(write_plan(plan)).plan == plan


@given(st.integers(0, 400))
def test_a_truncated_file_is_refused(length: int) -> None:
    text = write_plan(a_plan())
    with pytest.raises((NotJson, Refused)):
        read_plan(text[: len(text) * length // 401])


def test_a_stored_plan_is_read_back_by_its_name() -> None:
    plan = implant_plan()
    assert read_kept_plan(write_plan(plan), plan_sha256(plan)) == plan


@pytest.mark.parametrize(
    ("old", "new", "reason", "detail"),
    [
        ("seedpath.plan/3", "seedpath.plan/1", "another version", "seedpath.plan/1"),
        ('"dose"', '"doses"', "damaged", "/doses"),
        ("2 needles", "3 needles", "damaged", "not what its name says"),
        ('"GTV"', "GTV", "damaged", "line"),
        ("100.0,", "100.00000000000001,", "damaged", "v100_percent"),
    ],
)
def test_a_stored_plan_is_of_another_version_only_if_its_schema_is(
    old: str, new: str, reason: str, detail: str
) -> None:
    plan = implant_plan()
    text = write_plan(plan)
    assert old.encode() in text
    with pytest.raises(UnreadablePlanFile) as refusal:
        read_kept_plan(text.replace(old.encode(), new.encode(), 1), plan_sha256(plan))
    message = str(refusal.value)
    assert [word for word in ("another version", "damaged") if word in message] == [reason]
    assert detail in message and "make the plan again" in message.lower()
