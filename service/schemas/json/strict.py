"""Strict JSON: bytes to a pydantic model, or an error that points at every wrong field.

Stricter than `json`: no NaN, no infinity, no name twice in one object, and a limit on size. `false` is not a
number and "2" is not a number: the models are strict. The time grows linearly with the text, for any content.
"""

import codecs
import itertools
import json
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from anatomy.errors import MAX_FIELD_LENGTH, shortened
from anatomy.names.did_you_mean import did_you_mean
from service.schemas.json.messages import plain
from service.schemas.json.ranges import limit_at
from service.schemas.json.records import STRICT, adapter
from service.schemas.json.size_limits import UNKNOWN, Excess, JsonPath, known_names, too_much

MAX_ERRORS = 20
"""Wrong fields listed in one answer: enough to correct a request, too few to fill a log."""


class Strict(BaseModel):
    """The settings of all models at the edge: no unknown field, no conversion of types, no NaN."""

    model_config = ConfigDict(**STRICT, frozen=True)


@dataclass(frozen=True)
class FieldError:
    """A wrong field: its JSON pointer (RFC 6901), and how to correct it."""

    pointer: str
    detail: str


class NotJson(ValueError):
    """The bytes are not JSON, or are ambiguous."""


class Refused(ValueError):
    """JSON, but with fields that are unknown, of the wrong type, or out of range."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{e.pointer or '(whole document)'}: {e.detail}" for e in errors))


Model = TypeVar("Model")


def read_model(model: type[Model], data: bytes, max_bytes: int) -> Model:
    """Parse and validate. Raises NotJson or Refused."""
    return validated(model, *parsed(data, max_bytes))


def parsed(data: bytes, max_bytes: int) -> tuple[bytes, Any]:
    """The text itself, without a byte order mark, and its values. Raises NotJson."""
    if len(data) > max_bytes:
        raise NotJson(f"The text is longer than {max_bytes} bytes.")
    # Windows editors put a byte order mark before UTF-8.
    text = data.removeprefix(codecs.BOM_UTF8)
    return text, parse(text)


def validated(model: type[Model], text: bytes, document: Any) -> Model:
    """A text as a model, if its values are known. Raises NotJson or Refused.

    A list that is too long, or too many unknown names, are refused first. Values are validated after that, so
    that the number of mistakes is limited by the model.
    """
    _refuse_too_much(model, document)
    try:
        read: Model = adapter(model).validate_json(text)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        if errors[0]["type"] == "json_invalid":
            raise NotJson(f"{errors[0]['msg']}.") from None
        raise Refused(_field_errors(model, document, errors)) from None
    return read


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
        raise NotJson(f"The text is not UTF-8 (byte {error.start}). Save it as UTF-8.") from None
    except ValueError:
        raise NotJson("The text holds a number with too many digits.") from None


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        count = Counter(name for name, _ in pairs)
        twin = next(name for name, times in count.items() if times > 1)
        raise NotJson(f"The name {shortened(repr(twin), MAX_FIELD_LENGTH)} occurs twice in one object.")
    return table


def _no_constant(text: str) -> NoReturn:
    raise NotJson(f"{text} is no JSON number.")


def pointer(parts: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in parts)


def _refuse_too_much(model: type, document: Any) -> None:
    """Raises Refused if a list or a table is too long, or there are more unknown names than are listed."""
    excesses = list(itertools.islice(too_much(model, document), MAX_ERRORS + 1))
    if len(excesses) > MAX_ERRORS or any(excess.kind not in UNKNOWN for excess in excesses):
        raise Refused([_excess_error(model, excess) for excess in excesses[:MAX_ERRORS]])


def _excess_error(model: type, excess: Excess) -> FieldError:
    error = {"type": excess.kind, "input": excess.value, "ctx": excess.context}
    return _field_error(model, list(excess.path), error)


def _field_errors(model: type, document: Any, errors: Sequence[Any]) -> list[FieldError]:
    """One error for each of the first mistakes: pydantic reports some twice. A list of a thousand needles may
    have thousands of mistakes, so the time must grow linearly with their number."""
    paths = [_path_in_document(document, e["loc"], e["type"] == "missing") for e in errors]
    above = {tuple(path[:n]) for path in paths for n in range(len(path))}
    misspelt = {
        tuple(path[:-1]) for path, error in zip(paths, errors, strict=True) if error["type"] in UNKNOWN
    }
    listed = (
        (path, error)
        for path, error in zip(paths, errors, strict=True)
        if not _follows(path, error["type"], above, misspelt)
    )
    return [_field_error(model, path, error) for path, error in itertools.islice(listed, MAX_ERRORS)]


def _follows(
    path: JsonPath, kind: str, above: Set[tuple[str | int, ...]], misspelt: Set[tuple[str | int, ...]]
) -> bool:
    """Whether the error only follows from another: a list is short of the entries that were refused, or a
    field is missing because its name is misspelt. `above` are all places with an error inside them,
    `misspelt` those of objects with an unknown name."""
    if kind == "too_short":
        return tuple(path) in above
    return kind == "missing" and tuple(path[:-1]) in misspelt


def _field_error(model: type, path: JsonPath, error: Any) -> FieldError:
    where = pointer(path)
    if error["type"] in UNKNOWN:
        names = sorted(known_names(model, path[:-1]))
        unknown = shortened(repr(path[-1]), MAX_FIELD_LENGTH)
        return FieldError(
            shortened(where, MAX_FIELD_LENGTH),
            f"Unknown field {unknown}. {did_you_mean(str(path[-1]), names)}",
        )
    return FieldError(shortened(where, MAX_FIELD_LENGTH), plain(error, limit_at(model, where)))


def _path_in_document(document: Any, loc: Sequence[str | int], missing: bool) -> JsonPath:
    """`loc` without the parts that pydantic adds for its own unions and keys."""
    path: JsonPath = []
    at = document
    for n, part in enumerate(loc):
        present = part in at if isinstance(at, dict) else _is_index(part, at)
        if present:
            at = at[part]
        elif not (missing and n == len(loc) - 1):
            continue
        path.append(part)
    return path


def _is_index(part: str | int, at: Any) -> bool:
    return isinstance(at, list) and isinstance(part, int) and 0 <= part < len(at)
