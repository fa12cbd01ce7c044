"""Goals of a dose as text: what was asked for, and what was reached."""

from planner.records.dose import GoalResult
from planner.records.wording.number_text import decimals_apart

GOAL_WORDS = {
    "d90_gy": ("D90", "Gy"),
    "v100_percent": ("V100", "%"),
    "v150_percent": ("V150", "%"),
    "v200_percent": ("V200", "%"),
    "d0_1cc_gy": ("D0.1cc", "Gy"),
    "d1cc_gy": ("D1cc", "Gy"),
    "d2cc_gy": ("D2cc", "Gy"),
}
"""The words for a goal, and its unit."""


def goal_text(goal: GoalResult) -> str:
    """The value reached of a goal, and the value requested."""
    word, unit = GOAL_WORDS[goal.name]
    bound = "at least" if goal.at_least else "at most"
    decimals = decimals_apart(goal.reached, goal.wanted, 2)
    # "120" as requested, but 120.0004 if the last digits decide.
    short = f"{goal.wanted:g}"
    value = short if float(short) == goal.wanted else f"{goal.wanted:.{decimals}f}"
    return f"{word} of {goal.structure} {goal.reached:.{decimals}f} {unit}, {bound} {value} {unit} asked for"
