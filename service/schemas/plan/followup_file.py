"""Evaluations and replannings as JSON: one text each. A plan in one is complete, with its own sha256."""

from typing import Any

from planner.records.followup import Evaluation, Replanned
from service.schemas.json.canonical import record_to_json, text_of
from service.schemas.json.records import record_of
from service.schemas.json.strict import read_model
from service.schemas.plan.file import MAX_PLAN_BYTES, plan_to_json
from service.schemas.plan.followup import EvaluationModel, ReplannedModel

MAX_RESULT_BYTES = 2 * MAX_PLAN_BYTES
"""The size limit: a plan, indented by one space more, and a few other fields."""


def evaluation_to_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as a JSON object. Raises TypeError for a value that JSON lacks."""
    supplement = evaluation.supplement
    return record_to_json(evaluation, supplement=None if supplement is None else plan_to_json(supplement))


def replanned_to_json(replanned: Replanned) -> dict[str, Any]:
    """The replanning as a JSON object. Raises TypeError for a value that JSON lacks."""
    return record_to_json(replanned, plan=plan_to_json(replanned.plan))


def write_evaluation(evaluation: Evaluation) -> bytes:
    """The text of the evaluation. Raises ValueError for NaN or infinity."""
    return text_of(evaluation_to_json(evaluation))


def write_replanned(replanned: Replanned) -> bytes:
    """The text of the replanning. Raises ValueError for NaN or infinity."""
    return text_of(replanned_to_json(replanned))


def read_evaluation(data: bytes) -> Evaluation:
    """Read an evaluation's text back. Raises strict_json.NotJson or strict_json.Refused."""
    evaluation: Evaluation = record_of(read_model(EvaluationModel, data, MAX_RESULT_BYTES))
    return evaluation


def read_replanned(data: bytes) -> Replanned:
    """Read a replanning's text back. Raises strict_json.NotJson or strict_json.Refused."""
    replanned: Replanned = record_of(read_model(ReplannedModel, data, MAX_RESULT_BYTES))
    return replanned
