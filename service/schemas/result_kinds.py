"""Kinds of stored items: cases, and the results of jobs."""

from enum import StrEnum

CASE = "cases"
"""The kind of a case, by the word in its address."""


class ResultKind(StrEnum):
    """The kind of a result, by the word in its address."""

    PLAN = "plans"
    EVALUATION = "evaluations"
    REPLAN = "replans"


NOUNS = {
    CASE: "case",
    ResultKind.PLAN: "plan",
    ResultKind.EVALUATION: "evaluation",
    ResultKind.REPLAN: "replanning",
}
"""The name of one item of a kind."""
