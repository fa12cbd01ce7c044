"""Random and handmade needles, and slow, simple functions for the distances between them."""

from collections.abc import Iterator
from itertools import product

import numpy as np
from scipy.optimize import lsq_linear
from scipy.spatial.transform import Rotation

from planner.implant.needles.conflicts import Hardware, Needles
from planner.records.request.needle import Needle
from planner.records.request.needle_set import NeedleSetRequest
from planner.records.request.point import Point
from planner.records.request.pose import PoseRequest
from planner.records.request.request import Request

HARDWARE = Hardware(200.0, 0.635, 30.0, 4.0, 1.0)
BARE = Hardware(200.0, 0.635, 0.0, 0.635, 1.0)
"""Without a hub."""

Stretch = tuple[np.ndarray, np.ndarray, float, float]
"""A point of an axis, its unit vector, and the first and last distance along it. [mm]"""

Part = tuple[str, float, float, float]
"""Name, first and last distance from the tip, radius. [mm]"""


def request_of(hardware: Hardware) -> Request:
    """The request with this hardware."""
    return Request(
        needle=Needle(
            outer_diameter_mm=2 * hardware.needle_radius_mm, max_length_mm=hardware.needle_length_mm
        ),
        pose=PoseRequest(hub_length_mm=hardware.hub_length_mm, hub_diameter_mm=2 * hardware.hub_radius_mm),
        needle_set=NeedleSetRequest(clearance_mm=hardware.needle_clearance_mm),
    )


def needles_at(tips: object, outwards: object, lengths: object) -> Needles:
    d = np.array(outwards, float)
    return Needles(
        np.array(tips, float), d / np.linalg.norm(d, axis=1, keepdims=True), np.array(lengths, float)
    )


def random_needles(seed: int, count: int) -> Needles:
    """Needles to a target of a few cm: an almost parallel bundle up to the widest cone a chest allows."""
    rng = np.random.default_rng(seed)
    size, cone = rng.choice([3.0, 10.0, 30.0]), rng.choice([0.0, 1e-3, 0.05, 0.3, 1.0])
    return needles_at(
        rng.normal(size=(count, 3)) * size,
        np.array([0.0, -1.0, 0.0]) + cone * rng.normal(size=(count, 3)),
        rng.uniform(30.0, 120.0, count),
    )


def crowd(seed: int, count: int, hardware: Hardware = HARDWARE) -> Needles:
    """At most `count` needles that do not conflict, so close that hubs stand in the way of each other."""
    rng = np.random.default_rng(seed)
    needles = needles_at(
        rng.normal(size=(count, 3)) * [8.0, 60.0, 8.0],
        np.array([0.0, -1.0, 0.0]) + 0.02 * rng.normal(size=(count, 3)),
        rng.uniform(30.0, 120.0, count),
    )
    rows: list[int] = []
    for i in range(count):
        if all(spare_mm(needles, hardware, i, j) > 0.0 for j in rows):
            rows.append(i)
    return needles.of(np.array(rows))


def ring(count: int, radius_mm: float, outward: float, tangent: float) -> Needles:
    """Needles 100 mm deep around the z axis, with `count`-fold symmetry; their hubs' ends lie on a circle of
    this radius in z = 0. They lean outward and along its tangent by these slopes for each mm along z."""
    angle = 2.0 * np.pi * np.arange(count) / count
    radial = np.stack([np.cos(angle), np.sin(angle), 0.0 * angle], axis=1)
    tangential = np.stack([-np.sin(angle), np.cos(angle), 0.0 * angle], axis=1)
    direction = np.array([0.0, 0.0, 1.0]) + outward * radial + tangent * tangential
    d = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return needles_at(radius_mm * radial - 230.0 * d, d, np.full(count, 100.0))


CROSSED = needles_at([(0, 0, 0), (1, -50, 250)], [(0, 0, 1), (0, 1, 0)], [80.0, 80.0])
"""The second blocks the insertion of the first, beyond its hub's end at 230 mm."""

NO_ORDER = ring(3, 5.5, -0.5, -0.77)
"""No two of them conflict or block each other, but each, once in place, blocks the one before: a cycle."""


def rigidly_moved(needles: Needles, seed: int) -> Needles:
    """The needles after a rigid motion."""
    rng = np.random.default_rng(seed)
    turn = Rotation.random(random_state=int(rng.integers(2**31)))
    shift_mm = rng.uniform(-300.0, 300.0, 3)
    return Needles(turn.apply(needles.tip_P) + shift_mm, turn.apply(needles.outward_P), needles.length_mm)


def points_of(needles: Needles) -> list[tuple[str, Point, Point]]:
    """Id, entry and tip of each, as a plan lists them."""
    entries = needles.tip_P + needles.length_mm[:, None] * needles.outward_P
    return [
        (f"n{i}", (float(e[0]), float(e[1]), float(e[2])), (float(t[0]), float(t[1]), float(t[2])))
        for i, (e, t) in enumerate(zip(entries, needles.tip_P, strict=True))
    ]


def least_squares_distance(stretch: Stretch, other: Stretch) -> float:
    """Distance between two stretches, by scipy: least squares in two bounded variables. [mm]"""
    (p, u, a0, a1), (q, v, b0, b1) = stretch, other
    columns = np.stack([u * (a1 - a0), -v * (b1 - b0)], axis=1)
    start = p + a0 * u - q - b0 * v
    solved = lsq_linear(columns, -start, (0.0, 1.0), method="bvls", tol=1e-14)
    return float(np.linalg.norm(solved.fun))


def swept_parts(hardware: Hardware, travel_mm: float = 0.0) -> list[Part]:
    """Shaft and hub, swept outward by `travel_mm`."""
    end = hardware.needle_length_mm
    parts = [("shaft", 0.0, end + travel_mm, hardware.needle_radius_mm)]
    if hardware.hub_length_mm:
        parts.append(("hub", end, end + hardware.hub_length_mm + travel_mm, hardware.hub_radius_mm))
    return parts


def part_pairs(
    hardware: Hardware, travel_mm: float = 0.0
) -> Iterator[tuple[frozenset[str], Part, Part, float]]:
    """Every part of one needle with every part of another: names, both parts, least clearance. [mm]"""
    for part, other in product(swept_parts(hardware, travel_mm), swept_parts(hardware)):
        names = frozenset({part[0], other[0]})
        yield names, part, other, hardware.needle_clearance_mm if names == {"shaft"} else 0.0


def spare_mm(needles: Needles, hardware: Hardware, i: int, j: int, travel_mm: float = 0.0) -> float:
    """Least spare clearance between needle i, swept by its travel, and needle j in place. [mm]"""
    axis_i, axis_j = ((needles.tip_P[n], needles.outward_P[n]) for n in (i, j))
    return min(
        least_squares_distance((*axis_i, *a[1:3]), (*axis_j, *b[1:3])) - a[3] - b[3] - need
        for _, a, b, need in part_pairs(hardware, travel_mm)
    )
