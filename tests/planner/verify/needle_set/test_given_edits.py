"""Edits of a plan file that hide that a given needle is too near to a structure: verification finds each,
whether the sentences, the records or both are edited."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from ball_plans import ball_scene, changed_request

from planner.plan import plan as make_plan
from planner.records.needle_set import NeedleParts
from planner.records.plan import Plan
from planner.records.request.given import GivenNeedle
from planner.records.request.needle_set import NeedleSetRequest
from planner.records.request.prescription import Goals, Prescription
from planner.records.request.search import SearchRequest
from planner.records.wording.outcome_message import message_of
from planner.records.wording.set_claims import set_claims
from planner.verify import verify
from service.schemas.plan.file import read_plan, write_plan

NEEDLE_X_MM = 42.3
"""x of the given needle in B [mm]: the aorta ends at 41.0, and the needle is 1.27 mm thick."""
TRUE_TEXT, FALSE_TEXT = "passes 0.6 mm from aorta", "passes 99.9 mm from aorta"

SENTENCE_CHECKS = {"the message is the outcome's", "what the set may claim"}
CLEARANCE_CHECK = "its clearance is not overstated"
COMPLETENESS_CHECK = "what given needles are too near to, each once and in order"

Edit = Callable[[dict[str, Any]], None]


@cache
def plan_text() -> bytes:
    """The file of a plan whose given needle passes the aorta closer than the requested 1.5 mm."""
    grid = ball_scene().grid
    entry, tip = (tuple(grid.to_patient(np.array([NEEDLE_X_MM, y, 37.0])).tolist()) for y in (-5.0, 47.0))
    plan = make_plan(
        ball_scene(),
        changed_request(
            needle_set=NeedleSetRequest(given_needles=(GivenNeedle(entry, tip),)),
            search=SearchRequest(covering_radius_mm=4.0),
            prescription=Prescription(goals=Goals(v100_percent=0.0, d90_gy=10.0)),
        ),
    ).plan
    assert plan.verification is not None and plan.verification.passed
    return write_plan(plan)


def edited(*edits: Edit) -> Plan:
    """The plan read from its edited file."""
    content = json.loads(plan_text())
    for edit in edits:
        edit(content)
    return read_plan(json.dumps(content).encode()).plan


def failed(plan: Plan) -> set[str]:
    return {check.name for check in verify(plan, ball_scene()).checks if not check.passed}


def with_sentences(plan: Plan) -> Plan:
    """The plan with the sentences that follow from its records."""
    assert plan.needle_set is not None
    claims = set_claims(plan.needle_set, plan.paths, plan.missing_structures)
    plan = replace(plan, needle_set=replace(plan.needle_set, claims=claims))
    return replace(plan, outcome=replace(plan.outcome, message=message_of(plan)))


def edit_message(content: dict[str, Any]) -> None:
    assert TRUE_TEXT in content["outcome"]["message"]
    content["outcome"]["message"] = content["outcome"]["message"].replace(TRUE_TEXT, FALSE_TEXT)


def edit_claims(content: dict[str, Any]) -> None:
    claims = content["needle_set"]["claims"]
    assert any(TRUE_TEXT in claim for claim in claims)
    content["needle_set"]["claims"] = [claim.replace(TRUE_TEXT, FALSE_TEXT) for claim in claims]


def edit_record(**changes: Any) -> Edit:
    def edit(content: dict[str, Any]) -> None:
        (record,) = content["needle_set"]["given_too_near"]
        record.update(changes)

    return edit


def remove_records(content: dict[str, Any]) -> None:
    content["needle_set"]["given_too_near"] = []


def add_record(**changes: Any) -> Edit:
    def edit(content: dict[str, Any]) -> None:
        records = content["needle_set"]["given_too_near"]
        records.append({**records[0], **changes})

    return edit


def test_the_unedited_file_states_the_needles_clearance_and_is_verified() -> None:
    plan = edited()
    assert plan.needle_set is not None
    (record,) = plan.needle_set.given_too_near
    assert (record.structure, record.parts, record.asked_mm) == ("aorta", NeedleParts.NEEDLE, 1.5)
    assert record.clearance_mm == pytest.approx(NEEDLE_X_MM - 41.0 - 1.27 / 2, abs=1e-9)
    assert failed(plan) == set() and with_sentences(plan) == plan


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ((edit_message,), {"the message is the outcome's"}),
        ((edit_claims,), {"what the set may claim"}),
        ((edit_message, edit_claims), SENTENCE_CHECKS),
        ((edit_record(clearance_mm=99.9), edit_message, edit_claims), {CLEARANCE_CHECK}),
        ((edit_record(clearance_mm=99.9),), {CLEARANCE_CHECK, *SENTENCE_CHECKS}),
        ((remove_records,), {COMPLETENESS_CHECK, *SENTENCE_CHECKS}),
        ((add_record(),), {COMPLETENESS_CHECK, *SENTENCE_CHECKS}),
    ],
)
def test_an_edit_of_sentences_or_records_is_found(edits: tuple[Edit, ...], expected: set[str]) -> None:
    assert failed(edited(*edits)) >= expected


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (edit_record(clearance_mm=99.9), CLEARANCE_CHECK),
        (edit_record(clearance_mm=1.4), CLEARANCE_CHECK),
        (edit_record(clearance_mm=0.1), "its clearance is not understated"),
        (edit_record(asked_mm=0.7), "what is asked for"),
        (edit_record(structure="body"), "a given needle is too near"),
        (remove_records, COMPLETENESS_CHECK),
        (add_record(), COMPLETENESS_CHECK),
        (add_record(path_id="N9"), "a given needle is too near"),
        (add_record(structure=None, other_path_id="N2", parts="hubs"), "a given needle is too near"),
    ],
)
def test_a_wrong_record_is_found_even_with_matching_sentences(edit: Edit, expected: str) -> None:
    failed_checks = failed(with_sentences(edited(edit)))
    assert expected in failed_checks and not failed_checks & SENTENCE_CHECKS
