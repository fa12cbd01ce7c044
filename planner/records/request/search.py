"""The search: how finely to search and how much to return."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SearchRequest:
    """How finely to search and how much to return.

    `covering_radius_mm`: every line through the target lies within this of a tested line between tip and
    skin, or was shown not to be safe. `min_separation_mm`: two returned paths of one window differ at least
    this much at entry or tip.
    """

    max_paths: int = 10
    covering_radius_mm: float = 2.0
    time_limit_s: float | None = None
    min_separation_mm: float = 10.0
    field_resolution_mm: float = 1.0
