"""Edits of a plan's file that hide what a given needle is too near to: verification finds each, whether the
sentences, the records or both are edited."""

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

PAST_MM = 42.3
"""x of the given needle in B [mm]: the aorta ends at 41.0, and the needle is 1.27 mm thick."""
NEAR, FAR = "passes 0.6 mm from aorta", "passes 99.9 mm from aorta"

WORDED = {"the message is the outcome's", "what the set may claim"}
MEASURED = "its clearance is not overstated"
TOLD = "what given needles are too near to, each once and in order"

Edit = Callable[[dict[str, Any]], None]


@cache
def text() -> bytes:
    """The file of a plan whose given needle passes the aorta, where 1.5 mm are asked for."""
    grid = ball_scene().grid
    entry, tip = (tuple(grid.to_patient(np.array([PAST_MM, y, 37.0])).tolist()) for y in (-5.0, 47.0))
    planned = make_plan(
        ball_scene(),
        changed_request(
            needle_set=NeedleSetRequest(given_needles=(GivenNeedle(entry, tip),)),
            search=SearchRequest(covering_radius_mm=4.0),
            prescription=Prescription(goals=Goals(v100_percent=0.0, d90_gy=10.0)),
        ),
    ).plan
    assert planned.verification is not None and planned.verification.passed
    return write_plan(planned)


def edited(*edits: Edit) -> Plan:
    """The plan as its edited file says."""
    content = json.loads(text())
    for edit in edits:
        edit(content)
    return read_plan(json.dumps(content).encode()).plan


def failed(plan: Plan) -> set[str]:
    return {check.name for check in verify(plan, ball_scene()).checks if not check.passed}


def in_words(plan: Plan) -> Plan:
    """The plan with the sentences that its records call for."""
    assert plan.needle_set is not None
    claims = set_claims(plan.needle_set, plan.paths, plan.missing_structures)
    plan = replace(plan, needle_set=replace(plan.needle_set, claims=claims))
    return replace(plan, outcome=replace(plan.outcome, message=message_of(plan)))


def the_message(content: dict[str, Any]) -> None:
    assert NEAR in content["outcome"]["message"]
    content["outcome"]["message"] = content["outcome"]["message"].replace(NEAR, FAR)


def the_claims(content: dict[str, Any]) -> None:
    claims = content["needle_set"]["claims"]
    assert any(NEAR in claim for claim in claims)
    content["needle_set"]["claims"] = [claim.replace(NEAR, FAR) for claim in claims]


def the_record(**changes: Any) -> Edit:
    def edit(content: dict[str, Any]) -> None:
        (near,) = content["needle_set"]["given_too_near"]
        near.update(changes)

    return edit


def no_record(content: dict[str, Any]) -> None:
    content["needle_set"]["given_too_near"] = []


def one_more(**changes: Any) -> Edit:
    def edit(content: dict[str, Any]) -> None:
        near = content["needle_set"]["given_too_near"]
        near.append({**near[0], **changes})

    return edit


def test_the_honest_file_says_how_near_the_needle_passes_and_is_verified() -> None:
    plan = edited()
    assert plan.needle_set is not None
    (near,) = plan.needle_set.given_too_near
    assert (near.structure, near.parts, near.asked_mm) == ("aorta", NeedleParts.NEEDLE, 1.5)
    assert near.clearance_mm == pytest.approx(PAST_MM - 41.0 - 1.27 / 2, abs=1e-9)
    assert failed(plan) == set() and in_words(plan) == plan


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ((the_message,), {"the message is the outcome's"}),
        ((the_claims,), {"what the set may claim"}),
        ((the_message, the_claims), WORDED),
        ((the_record(clearance_mm=99.9), the_message, the_claims), {MEASURED}),
        ((the_record(clearance_mm=99.9),), {MEASURED, *WORDED}),
        ((no_record,), {TOLD, *WORDED}),
        ((one_more(),), {TOLD, *WORDED}),
    ],
)
def test_an_edit_of_sentences_or_records_is_found(edits: tuple[Edit, ...], expected: set[str]) -> None:
    assert failed(edited(*edits)) >= expected


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (the_record(clearance_mm=99.9), MEASURED),
        (the_record(clearance_mm=1.4), MEASURED),
        (the_record(clearance_mm=0.1), "its clearance is not understated"),
        (the_record(asked_mm=0.7), "what is asked for"),
        (the_record(structure="body"), "a given needle is too near"),
        (no_record, TOLD),
        (one_more(), TOLD),
        (one_more(path_id="N9"), "a given needle is too near"),
        (one_more(structure=None, other_path_id="N2", parts="hubs"), "a given needle is too near"),
    ],
)
def test_a_false_record_is_found_though_the_sentences_are_written_from_it(edit: Edit, expected: str) -> None:
    failed_checks = failed(in_words(edited(edit)))
    assert expected in failed_checks and not failed_checks & WORDED
