"""Strict JSON: bytes to a pydantic model, or a refusal that points at every wrong field.

Stricter than `json`: no NaN, no infinity, no name twice in one object, and a limit on size. `false` is no
number and "2" is no number: the models are strict.
"""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from service.limits import limit_at

MAX_SHOWN = 80
"""A refused value is shown up to this many characters."""

MAX_ERRORS = 20
"""Wrong fields listed in one answer: enough to mend a request, too few to fill a log."""


class Strict(BaseModel):
    """What all models of the edge share: no unknown field, no conversion of types, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


@dataclass(frozen=True)
class FieldError:
    """A wrong field: its JSON pointer (RFC 6901), and what to do about it."""

    pointer: str
    detail: str


class NotJson(ValueError):
    """The bytes are no JSON text, or not one that means one thing."""


class Refused(ValueError):
    """JSON, but with fields that are unknown, of the wrong type, or out of range."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{e.pointer or '(whole document)'}: {e.detail}" for e in errors))


Model = TypeVar("Model", bound=BaseModel)


def read_model(model: type[Model], data: bytes, max_bytes: int) -> Model:
    """Parse and validate. Raises NotJson or Refused."""
    if len(data) > max_bytes:
        raise NotJson(f"The text is longer than {max_bytes} bytes.")
    document = parse(data)
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            raise NotJson(f"{first['msg']}.") from None
        found = [_field_error(model, document, e) for e in error.errors(include_url=False)[:MAX_ERRORS]]
        raise Refused(found) from None


def parse(data: bytes) -> Any:
    """A JSON text to Python values. Raises NotJson."""
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_without_twins, parse_constant=_no_constant)
    except NotJson:
        raise
    except RecursionError:
        raise NotJson("The text is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"{error.msg} at line {error.lineno}, column {error.colno}.") from None
    except UnicodeDecodeError as error:
        raise NotJson(f"The text is not UTF-8 (byte {error.start}).") from None
    except ValueError:
        raise NotJson("The text holds a number with too many digits.") from None


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise NotJson(f"The name {twin!r} occurs twice in one object.")
    return table


def _no_constant(text: str) -> NoReturn:
    raise NotJson(f"{text} is no JSON number.")


def pointer(parts: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in parts)


def nearest(name: str, known: Sequence[str]) -> str:
    """A sentence that names the known name most like `name`, and all known names."""
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return f"{hint}Known: {', '.join(known)}."


def _field_error(model: type[BaseModel], document: Any, error: Any) -> FieldError:
    path = _path_in_document(document, error["loc"], error["type"] == "missing")
    where = pointer(path)
    limit = limit_at(where)
    value = _shown(error["input"])
    match error["type"]:
        case "extra_forbidden":
            known = sorted(_model_at(model, path[:-1]).model_fields)
            return FieldError(where, f"Unknown field {path[-1]!r}. {nearest(str(path[-1]), known)}")
        case "missing":
            return FieldError(where, "The field is missing.")
        case "greater_than_equal" | "less_than_equal" | "finite_number" if limit is not None:
            return FieldError(where, f"{value} is out of range. Give a number {limit.sentence()}.")
        case "value_error" | "assertion_error":
            return FieldError(where, str(error["ctx"]["error"]))
        case _:
            return FieldError(where, f"{value}: {error['msg']}.")


def _path_in_document(document: Any, loc: Sequence[str | int], missing: bool) -> list[str | int]:
    """`loc` without the parts that pydantic adds for its own unions and keys."""
    path: list[str | int] = []
    at = document
    for n, part in enumerate(loc):
        known = part in at if isinstance(at, dict) else isinstance(at, list) and part in range(len(at))
        if known:
            at = at[part]
        elif not (missing and n == len(loc) - 1):
            continue
        path.append(part)
    return path


def _model_at(model: type[BaseModel], path: Sequence[str | int]) -> type[BaseModel]:
    """The model that describes the object at `path`."""
    for part in path:
        info = model.model_fields.get(str(part))
        if info is not None:
            model = next(_models_in(info.annotation), model)
    return model


def _models_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + " ..."
