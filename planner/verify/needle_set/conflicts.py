"""Claims on needles together: any two can be in place at once, and every needle can be driven in its turn.

A needle consists of a shaft, from the tip outward, and beyond the needle's length a hub. Each is the set of
points within a radius of its axis. A needle that is driven sweeps this volume along its axis, starting where
its tip meets the skin. For two needles that are in place already nothing is claimed; all other needles must
be driven past them.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import inf, sqrt

import numpy as np
from jaxtyping import Float

from planner.records.needle_set import NeedleParts
from planner.records.paths import Path
from planner.records.request.point import Point
from planner.records.request.request import Request
from planner.verify.claims import Claims
from planner.verify.geometry.axis_spans import point_of
from planner.verify.geometry.segments import segment_segment2
from planner.verify.tolerances import DISTANCE_MM


@dataclass(frozen=True, eq=False)
class PlacedNeedle:
    """A needle in place: its id, its tip and outward unit vector in P, and its length from tip to skin.
    [mm]"""

    id: str
    tip_P: Float[np.ndarray, "3"]
    outward_P: Float[np.ndarray, "3"]
    length_mm: float

    def stretch(self, first_mm: float, last_mm: float) -> tuple[Point, Point]:
        """The ends of a part of the axis, by their distances from the tip."""
        return point_of(self.tip_P + first_mm * self.outward_P), point_of(
            self.tip_P + last_mm * self.outward_P
        )


@dataclass(frozen=True)
class NeedleSizes:
    """Dimensions of every needle and its hub, and the free distance between the walls of two shafts. [mm]"""

    length_mm: float
    radius_mm: float
    hub_length_mm: float
    hub_radius_mm: float
    clearance_mm: float


def needle_sizes_of(request: Request) -> NeedleSizes:
    """The needle, the hub and the clearance of a request."""
    return NeedleSizes(
        request.needle.max_length_mm,
        request.needle.radius_mm,
        request.pose.hub_length_mm,
        request.hub_radius_mm,
        request.needle_set.clearance_mm,
    )


@dataclass(frozen=True)
class Gap:
    """Free distance between the walls of parts of two needles, negative where they overlap, and the least
    that is needed. [mm]"""

    parts: NeedleParts
    wall_mm: float
    need_mm: float

    @property
    def kept(self) -> bool:
        """Whether the gap is wide enough."""
        return self.wall_mm >= self.need_mm - DISTANCE_MM


def check_needles(
    claims: Claims,
    needles: Sequence[tuple[str, Point, Point]],
    order: Sequence[str],
    sizes: NeedleSizes,
    in_already: Collection[str] = (),
) -> None:
    """All claims of this module on needles given by id, entry and tip (P, mm), driven in `order`.

    A pair has a check of its own only if it fails. The
    order may be empty if the needles that are `in_already` could not have been driven in any order.
    """
    ids = [id_ for id_, _, _ in needles]
    claims.equal("needle ids differ", "needles", float(len(ids)), float(len(set(ids))), 0.0)
    placed = [needle for n in needles if (needle := _placed(claims, *n)) is not None]
    _check_together(claims, placed, sizes, in_already)
    in_place = [needle for needle in placed if needle.id in in_already]
    listed, known_ids = ", ".join(sorted(order)), ", ".join(sorted(ids))
    left_out = bool(in_place) and not order and not _orderable(in_place, sizes)
    claims.same("the order names every needle once", "insertion order", listed, "" if left_out else known_ids)
    if not left_out:
        _check_order(claims, placed, order, sizes, in_place)


def _placed(claims: Claims, id_: str, entry_mm: Point, tip_mm: Point) -> PlacedNeedle | None:
    """The needle. Where its points define no line, a check fails and the result is None."""
    placed = _between(id_, entry_mm, tip_mm)
    if placed is None:
        claims.same("entry and tip differ", f"needle {id_}", "differ", "coincide, or are not finite")
    return placed


def _between(id_: str, entry_mm: Point, tip_mm: Point) -> PlacedNeedle | None:
    tip_P = np.array(tip_mm, float)
    along = np.array(entry_mm, float) - tip_P
    length = float(np.linalg.norm(along))
    return PlacedNeedle(id_, tip_P, along / length, length) if 0.0 < length < inf else None


def gaps_in_place(one: Path, other: Path, sizes: NeedleSizes) -> list[Gap]:
    """Gaps between the parts of the needles of two paths, in place; none where one has no length."""
    placed = [_between(path.id, path.entry_mm, path.tip_mm) for path in (one, other)]
    first, second = placed
    if first is None or second is None:
        return []
    return list(_gaps(first, 0.0, second, sizes))


def _gaps(driven: PlacedNeedle, travel_mm: float, other: PlacedNeedle, sizes: NeedleSizes) -> Iterator[Gap]:
    """Gaps between the parts of one needle, swept outward by its travel, and those of another in place."""
    end, hub_mm = sizes.length_mm, sizes.hub_length_mm
    thin, thick = sizes.radius_mm, sizes.hub_radius_mm
    shaft, other_shaft = driven.stretch(0.0, end + travel_mm), other.stretch(0.0, end)
    between_shafts = sqrt(segment_segment2(*shaft, *other_shaft)) - 2 * thin
    yield Gap(NeedleParts.SHAFTS, between_shafts, sizes.clearance_mm)
    if hub_mm > 0.0:
        hub, other_hub = driven.stretch(end, end + hub_mm + travel_mm), other.stretch(end, end + hub_mm)
        yield Gap(NeedleParts.HUBS, sqrt(segment_segment2(*hub, *other_hub)) - 2 * thick, 0.0)
        yield Gap(NeedleParts.HUB_AND_SHAFT, sqrt(segment_segment2(*hub, *other_shaft)) - thick - thin, 0.0)
        yield Gap(NeedleParts.SHAFT_AND_HUB, sqrt(segment_segment2(*shaft, *other_hub)) - thin - thick, 0.0)


def _narrowest(gaps: Sequence[Gap]) -> Gap:
    """The gap that is narrowest compared with what is needed."""
    return min(gaps, key=lambda gap: gap.wall_mm - gap.need_mm)


def _stopped_by(
    driven: PlacedNeedle, others: Sequence[PlacedNeedle], sizes: NeedleSizes
) -> Iterator[tuple[PlacedNeedle, Gap]]:
    """The needles in place that stop a needle which is driven, each with its narrowest gap."""
    for other in others:
        worst = _narrowest(list(_gaps(driven, driven.length_mm, other, sizes)))
        if not worst.kept:
            yield other, worst


def _orderable(needles: Sequence[PlacedNeedle], sizes: NeedleSizes) -> bool:
    """Whether there is an order in which all can be driven.

    Needles are removed in reverse order: any needle that can be driven past all the others may be the last,
    and, once removed, it is in no other's way.
    """
    remaining = list(needles)
    while remaining:
        last = next(
            (
                one
                for one in remaining
                if not any(_stopped_by(one, [n for n in remaining if n is not one], sizes))
            ),
            None,
        )
        if last is None:
            return False
        remaining.remove(last)
    return True


def _check_together(
    claims: Claims,
    placed: Sequence[PlacedNeedle],
    sizes: NeedleSizes,
    in_already: Collection[str],
) -> None:
    """In place, shafts keep their distance and no two needles touch."""
    least_mm, least_shaft_mm = inf, inf
    for one, two in combinations(placed, 2):
        if one.id in in_already and two.id in in_already:
            continue
        gaps = list(_gaps(one, 0.0, two, sizes))
        least_mm = min(least_mm, *(gap.wall_mm for gap in gaps))
        least_shaft_mm = min(least_shaft_mm, gaps[0].wall_mm)
        worst = _narrowest(gaps)
        if not worst.kept:
            subject = f"needle {one.id}, needle {two.id}"
            name = f"{worst.parts} are apart"
            claims.at_least(name, subject, worst.need_mm, worst.wall_mm, DISTANCE_MM)
    claims.at_least("no two needles touch", "needles", 0.0, least_mm, DISTANCE_MM)
    claims.at_least("shafts keep their clearance", "needles", sizes.clearance_mm, least_shaft_mm, DISTANCE_MM)


def _check_order(
    claims: Claims,
    placed: Sequence[PlacedNeedle],
    order: Sequence[str],
    sizes: NeedleSizes,
    there: Sequence[PlacedNeedle],
) -> None:
    """Each needle, in its turn, can be driven past all that are then in place."""
    by_id = {needle.id: needle for needle in placed}
    in_place = list(there)
    driven = [by_id[id_] for id_ in dict.fromkeys(order) if id_ in by_id and by_id[id_] not in there]
    free = len(there)
    for needle in driven:
        stops = list(_stopped_by(needle, in_place, sizes))
        for other, worst in stops:
            subject = f"needle {needle.id}, past needle {other.id}"
            name = f"{worst.parts} are apart while it is driven"
            claims.at_least(name, subject, worst.need_mm, worst.wall_mm, DISTANCE_MM)
        free += not stops
        in_place.append(needle)
    claims.equal("the order allows every needle", "insertion order", float(len(placed)), float(free), 0.0)
