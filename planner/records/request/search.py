"""The search: how finely to search and how much to return."""

from dataclasses import dataclass
from typing import Annotated

from planner.records.bounds import Limit

MaxPaths = Annotated[int, Limit(1.0, 1000.0, "", "more than a person or a needle set can use")]


@dataclass(frozen=True)
class SearchRequest:
    """How finely to search and how much to return.

    `covering_radius_mm`: every line through the target lies within this of a tested line between tip and
    skin, or was shown not to be safe. `min_separation_mm`: two returned paths of one window differ at least
    this much at entry or tip.
    """

    max_paths: MaxPaths = 10
    covering_radius_mm: Annotated[
        float, Limit(0.25, 20.0, "mm", "finer than any voxel grid, or coarser than any window")
    ] = 2.0
    time_limit_s: Annotated[float, Limit(0.01, 3600.0, "s", "null means no limit")] | None = None
    min_separation_mm: Annotated[float, Limit(0.0, 200.0, "mm", "wider than that, one path is left")] = 10.0
    field_resolution_mm: Annotated[
        float, Limit(0.5, 4.0, "mm", "finer fills the memory, coarser loses thin vessels")
    ] = 1.0
