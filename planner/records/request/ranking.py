"""Ranking: in which order paths are returned."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

from planner.records.bounds import Limit

Weight = Annotated[float, Limit(-1e6, 1e6, "", "weights of a sum")]

DEFAULT_RANKING = (
    "lung_length_mm",
    "pleural_punctures",
    "fissures_crossed",
    "clearance_mm",
    "length_mm",
)


@dataclass(frozen=True)
class PathOrder:
    """How paths are ordered: by `scores`, the first deciding; or by the weighted sum in `weights`, if there
    are weights."""

    scores: tuple[str, ...]
    weights: Mapping[str, Weight] = field(default_factory=lambda: MappingProxyType({}))
