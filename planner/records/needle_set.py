"""The needle set: its needles, the seeds on each, and what needles in place come too close to."""

from dataclasses import dataclass
from enum import StrEnum

from planner.records.bounds import Count, NonNegative, Percent
from planner.records.request.point import Point

REACH_MM = 5.0
"""How far from the nearest seed a place can be and still count as reached: one seed of 0.6 mCi gives about
60 Gy there, half of what is prescribed [U]."""


@dataclass(frozen=True)
class PlacedSeed:
    """A seed of the set. `path_id` is the needle that carries it; None for a seed that was given, which then
    has no depth and no retraction, and no axis where none was given."""

    path_id: str | None
    position_mm: Point
    axis: Point | None
    depth_mm: float | None
    retraction_mm: float | None


class NeedleParts(StrEnum):
    """What of a needle, or of two, lacks free space."""

    NEEDLE = "needle"
    """The whole shaft, in the body and out, beside a structure."""
    SHAFTS = "shafts"
    HUBS = "hubs"
    HUB_AND_SHAFT = "hub and shaft"
    """The hub of the first needle, the shaft of the second."""
    SHAFT_AND_HUB = "shaft and hub"


@dataclass(frozen=True)
class TooNear:
    """A given needle, `path_id`, and what it lies too near to: a forbidden `structure`, or another given
    needle, `other_path_id`; the one that it is not is None.

    `parts` says what of it: NEEDLE for a structure; for two needles those parts that lack most, the part of
    `path_id` first. `clearance_mm` is free between walls and less than `asked_mm`; it is negative where two
    needles overlap, and minus the needle's radius where its axis runs through a structure.
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

    `path_ids` by rank; `order` is one of insertion in which no hub blocks a later needle. `objective` is what
    the set costs, in mm of lung: lung crossed, punctures at the request's cost, and 1 mm for each needle. No
    set of the `tracks_considered` that could leave a seed within `cover_radius_mm` of each of its seeds costs
    less than `bound`; `gap` is what lies between the two, as a share of the objective. `reachable_percent` of
    the PTV lies within REACH_MM of where some safe track may leave a seed. `seeds_bound` estimates, by a
    relaxed programme, how few seeds on these needles would reach the goal for V100, None (and no `seeds_gap`)
    where that is not known; by the same programme, `v100_reachable` says whether any number of them would.
    `time_ended` says that the request's time limit cut the exchange of needles short. `given_too_near` has
    all that given needles lie too near to, structures by needle first, then pairs; `given_seed_pairs_near`
    counts the pairs of given seeds that lie nearer to each other than a seed is long.
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
