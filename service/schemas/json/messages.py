"""Error messages about JSON values: what is wrong, and what to give instead, in plain sentences.

pydantic's own messages mention tuples and validation; here every kind of error that our models can raise has
its own sentence.
"""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from anatomy.names.did_you_mean import did_you_mean
from planner.records.bounds import Limit

MAX_SHOWN = 80
"""A refused value is shown up to this many characters."""

_PATTERNS = {
    r"^[0-9]{1,2}G$": 'a gauge such as "18G"',
    r"^[0-9a-f]{64}$": "a sha256: 64 digits from 0 to f, in lower case",
}

_TEXT = ("text", "Give it in quotes")
_WHOLE = ("a whole number", "Give one, without quotes")
_NUMBER = ("a number", "Give one, without quotes")
_LIST = ("a list", "Give one in brackets: [...]")
_OBJECT = ("an object", "Give one in braces: {...}")

_KINDS = {
    "string_type": _TEXT,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": ("a number of this size", "Give a smaller one"),
    "float_type": _NUMBER,
    "bool_type": ("true or false", "Give one of them, without quotes"),
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "model_attributes_type": _OBJECT,
}
"""For each kind of error: what is expected, and how to give it."""

OWN_UNIONS = ("target_structure", "ranking")
"""Errors of our own unions: their message says what to give."""


def shown(value: Any) -> str:
    """A value as JSON, cut if it is long; of a large value, only the shown part is written."""
    text = json.dumps(_beginning(value, [MAX_SHOWN]), ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + " ..."


def _beginning(value: Any, values_left: list[int]) -> Any:
    """The value without anything after MAX_SHOWN characters of its text: each value, and each character of a
    text, takes at least one. `values_left[0]` counts down the number of values that can still be seen."""
    values_left[0] -= 1
    if isinstance(value, str):
        return value[: MAX_SHOWN + 1]
    if isinstance(value, dict):
        # One more than is shown, so that the text is marked as cut.
        items = itertools.takewhile(lambda _: values_left[0] >= 0, value.items())
        return {_beginning(name, values_left): _beginning(inner, values_left) for name, inner in items}
    if isinstance(value, list | tuple):
        return [
            _beginning(inner, values_left)
            for inner in itertools.takewhile(lambda _: values_left[0] >= 0, value)
        ]
    return value


def plain(error: Mapping[str, Any], limit: Limit | None) -> str:
    """The sentence for one of pydantic's errors. `limit` is the range at this place, if there is one."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    text = shown(value)
    match kind:
        case "missing":
            return "The field is missing. Give it."
        case "value_error":
            return str(context["error"])
        case "greater_than_equal" | "less_than_equal" | "finite_number":
            return f"{text} is out of range. Give {_range(limit, context)}."
        case "enum" | "literal_error":
            expected = _quoted(str(context["expected"]))
            return f"{text} is not known. {did_you_mean(value if isinstance(value, str) else text, expected)}"
        case "too_short" | "too_long" | "string_too_short" | "string_too_long":
            return _length(text, value, context)
        case "string_pattern_mismatch":
            return f"{text} is of another form. Give {_PATTERNS[context['pattern']]}."
        case _ if kind in OWN_UNIONS:
            return f"{text} is of another kind. {error['msg']}."
        case _:
            belongs, remedy = _KINDS.get(
                kind, ("what belongs here", "GET /v1/openapi.json describes the field")
            )
            return f"{text} is not {belongs}. {remedy}."


def _range(limit: Limit | None, context: Mapping[str, Any]) -> str:
    if limit is not None:
        return f"a number {limit.sentence()}"
    if "ge" in context:
        return f"a number from {context['ge']:g}"
    return f"a number up to {context['le']:g}" if "le" in context else "a finite number"


def _quoted(expected: str) -> Sequence[str]:
    """The values in pydantic's list of expected values: 'a', 'b' or 'c'."""
    return re.findall(r"'([^']*)'", expected)


def _length(text: str, value: Any, context: Mapping[str, Any]) -> str:
    least, most = context.get("min_length"), context.get("max_length")
    things = "characters" if isinstance(value, str) else "entries"
    if least is not None:
        return (
            f"{text} is empty. Give a name."
            if things == "characters"
            else f"{text} has too few entries. Give at least {least}."
        )
    return f"{text} is too long. Give at most {most} {things}."
