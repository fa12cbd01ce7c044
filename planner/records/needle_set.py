"""The needle set: its needles, the seeds on each, and what given needles come too close to."""

from dataclasses import dataclass
from enum import StrEnum

from planner.records.bounds import Count, NonNegative, Percent
from planner.records.request.point import Point

REACH_MM = 5.0
"""A place counts as reached within this distance of the nearest seed: one seed of 0.6 mCi gives about 60 Gy
there, half of the prescribed dose [U]."""


@dataclass(frozen=True)
class PlacedSeed:
    """A seed of the set. `path_id` is the needle that carries it; None for a given seed, which has no depth
    and no retraction, and an axis only if one was given."""

    path_id: str | None
    position_mm: Point
    axis: Point | None
    depth_mm: float | None
    retraction_mm: float | None


class NeedleParts(StrEnum):
    """The part of a needle, or of two needles, that lacks free space."""

    NEEDLE = "needle"
    """The whole shaft, inside and outside the body, near a structure."""
    SHAFTS = "shafts"
    HUBS = "hubs"
    HUB_AND_SHAFT = "hub and shaft"
    """The hub of the first needle and the shaft of the second."""
    SHAFT_AND_HUB = "shaft and hub"


@dataclass(frozen=True)
class TooNear:
    """A given needle, `path_id`, and what it is too near to: a forbidden `structure`, or another given
    needle, `other_path_id`. The one that does not apply is None.

    `parts` says which part is too near: NEEDLE for a structure; for two needles the parts that lack most, the
    part of `path_id` first. `clearance_mm` is the free distance between walls, less than `asked_mm`. It is
    negative if two needles overlap, and minus the needle's radius if its axis runs through a structure.
    """

    path_id: str
    structure: str | None
    other_path_id: str | None
    parts: NeedleParts
    clearance_mm: float
    asked_mm: float


@dataclass(frozen=True)
class NeedleSet:
    """Needles that do not touch and together cover the PTV, and their seeds.

    `path_ids` are in order of rank; `order` is an order of insertion in which no hub blocks a later needle.
    `objective` is the cost of the set, in mm of lung: lung crossed, punctures at the request's cost, and 1 mm
    for each needle. No set of the `tracks_considered` that could leave a seed within `cover_radius_mm` of
    each of its seeds costs less than `bound`; `gap` is the difference as a share of the objective.
    `reachable_percent` of the PTV is within REACH_MM of a place where some safe track may leave a seed.
    `seeds_bound` estimates, by a relaxed programme, the fewest seeds on these needles that reach the goal for
    V100; it is None, as `seeds_gap` is, if that is not known. By the same programme, `v100_reachable` says
    whether any number of seeds reaches it. `time_ended`: the request's time limit ended the exchange of
    needles early. `given_too_near` lists everything that given needles are too near to, structures by needle
    first, then pairs. `given_seed_pairs_near` counts the pairs of given seeds that are closer to each other
    than a seed is long.
    """

    arrangement: str
    path_ids: tuple[str, ...]
    order: tuple[str, ...]
    conflicts_checked: Count
    tracks_considered: Count
    cover_radius_mm: NonNegative
    reachable_percent: Percent
    lung_length_mm: NonNegative
    pleural_punctures: Count
    objective: NonNegative
    bound: float
    gap: float
    seeds: tuple[PlacedSeed, ...]
    seeds_bound: Count | None
    seeds_gap: float | None
    v100_reachable: bool
    time_ended: bool
    given_too_near: tuple[TooNear, ...]
    given_seed_pairs_near: Count
    claims: tuple[str, ...]
