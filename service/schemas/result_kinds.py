"""Kinds of what is kept: cases, and what jobs make of them."""

from enum import StrEnum

CASE = "cases"
"""The kind of a case, by the word that its address has."""


class ResultKind(StrEnum):
    """What was made, by the word that its address has."""

    PLAN = "plans"
    EVALUATION = "evaluations"
    REPLAN = "replans"


NOUNS = {
    CASE: "case",
    ResultKind.PLAN: "plan",
    ResultKind.EVALUATION: "evaluation",
    ResultKind.REPLAN: "replanning",
}
"""What one thing of a kind is called."""
