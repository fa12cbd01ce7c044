"""Rankings: how paths are ordered, as the command line gives it, each with a name.

lung_length_mm,pleural_punctures        scores, the first one first
lung_length_mm:1,clearance_mm:0.5       the weighted sum of scores
heuristic.json                          the value of `ranking` in a request
NAME=...                                any of these, with a name
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from anatomy.errors import ReadError
from planner.errors import RequestError
from planner.records.request.request import Request
from service.host.errors import BadFile
from service.operations.input_files import read_file
from service.schemas.json.strict import Refused, parse, read_model
from service.schemas.request.model import MAX_REQUEST_BYTES, PlanRequest

OPTION = "--ranking"

FILE_SUFFIX = ".json"

MAX_NAME_LENGTH = 80
"""Longest name: it labels a row and a picture."""


@dataclass(frozen=True)
class Ranking:
    """An order of paths with a name: scores, the first one first, or weights for their sum."""

    name: str
    scores: tuple[str, ...]
    weights: Mapping[str, float]

    def applied(self, request: Request) -> Request:
        """The request with this ranking."""
        return replace(request, ranking=self.scores, weights=self.weights)

    def same_as(self, other: "Ranking") -> bool:
        """Whether both define the same order, whatever their names."""
        return self.scores == other.scores and dict(self.weights) == dict(other.weights)


def rankings(arguments: Sequence[str]) -> tuple[Ranking, ...]:
    """The rankings, in the order given.

    Raises BadFile for one that is unknown or cannot be read, RequestError for one that is given twice, and
    ReadError for a file that does not exist.
    """
    parsed: list[Ranking] = []
    for text in arguments:
        ranking = _ranking(text)
        for other in parsed:
            if ranking.same_as(other):
                raise RequestError(
                    f"{OPTION} {text}", f"it is the same as {other.name!r}", "Leave one of them out."
                )
            if ranking.name == other.name:
                raise RequestError(
                    f"{OPTION} {text}",
                    f"another ranking is called {other.name!r}",
                    "Name one of them: NAME=SCORES.",
                )
        parsed.append(ranking)
    return tuple(parsed)


def _ranking(text: str) -> Ranking:
    own, is_named, what = text.partition("=")
    if not is_named:
        own, what = "", text
    elif not own.strip() or len(own) > MAX_NAME_LENGTH:
        raise RequestError(f"{OPTION} {text}", "its name is empty or too long", "Give a short one: NAME=...")
    if not text.isprintable():
        raise RequestError(f"{OPTION} {text!a}", "it cannot be written down", "Give a name: NAME=...")
    if what.lower().endswith(FILE_SUFFIX):
        return _from_file(own.strip() or Path(what).stem, Path(what))
    parts = [part.strip() for part in what.split(",")]
    if ":" in what:
        return _weighted(text, own.strip() or ",".join(parts), parts)
    return _read(text, own.strip() or ",".join(parts), parts)


def _weighted(text: str, name: str, parts: Sequence[str]) -> Ranking:
    weights: dict[str, float] = {}
    for part in parts:
        score, _, number = part.rpartition(":")
        weight = _number(number)
        if weight is None:
            remedy = "Give each score with its weight: SCORE:NUMBER."
            raise RequestError(f"{OPTION} {text}", f"{part!r} has no weight", remedy)
        if score.strip() in weights:
            raise RequestError(f"{OPTION} {text}", f"{score.strip()!r} is named twice", "Name each once.")
        weights[score.strip()] = weight
    return _read(text, name, {"weights": weights})


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _from_file(name: str, path: Path) -> Ranking:
    if not path.exists():
        raise ReadError(str(path), "there is no such file or folder", "Check the path.")
    return read_file(path, lambda data: _of(name, parse(data)), MAX_REQUEST_BYTES)


def _read(text: str, name: str, content: Any) -> Ranking:
    try:
        return _of(name, content)
    except Refused as error:
        raise BadFile(f"{OPTION} {text}: {error.errors[0].detail}") from None


def _of(name: str, content: Any) -> Ranking:
    """As a request would read it. Raises Refused."""
    data = json.dumps({"ranking": content}).encode()
    request = read_model(PlanRequest, data, MAX_REQUEST_BYTES).to_request()
    return Ranking(name, request.ranking, request.weights)
