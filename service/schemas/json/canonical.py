"""Canonical JSON: records to JSON values, and JSON values to one fixed text.

The text is UTF-8, indented by one space, with floats in Python's shortest form that reads back exactly, and a
newline at the end, so that equal work gives equal bytes.
"""

import json
import numbers
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any


def to_json(value: Any) -> Any:
    """Records as JSON values, numpy's numbers as Python's. Raises TypeError for a value that JSON cannot
    represent."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, StrEnum | str):
        return str(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if is_dataclass(value):
        return record_to_json(value)
    raise TypeError(f"a plan holds a {type(value).__name__}, which JSON has no form for")


def record_to_json(record: Any, **own_forms: Any) -> dict[str, Any]:
    """A record as a JSON object: its fields in their order; fields in `own_forms` have the value given
    there."""
    return {
        field.name: own_forms[field.name] if field.name in own_forms else to_json(getattr(record, field.name))
        for field in fields(record)
    }


def text_of(content: dict[str, Any]) -> bytes:
    """The text. Raises ValueError for NaN or infinity."""
    return (json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()
