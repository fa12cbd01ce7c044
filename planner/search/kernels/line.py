"""Line test: where the needle would run, and whether every part of it is clear.

tip o=====target=====)........lung........(....wall....| entry          | hub
    s = tip                                            s = tip + length s = tip + needle_length
    |<---------------- the needle's capsule, clear over its whole length ------->|
"""

from math import sqrt

import numpy as np
from jaxtyping import Float, UInt8

from anatomy.runtime.jit import jit, jit_inline
from anatomy.runtime.parallel import parallel_for
from planner.search.kernels.clear import clear_until, least_margin
from planner.search.kernels.pleura_along import counts_along
from planner.search.kernels.screen import surely_blocked
from planner.search.kernels.search_fields import SearchFields
from planner.search.kernels.verdicts import BLOCKED, BORE, HUB_BLOCKED, MISSES_TARGET, SAFE, TABLE
from planner.search.kernels.voxels import body_walk, box_span, target_span

# Columns of a line's quantities: s of the tip, lengths in mm, counts, and the smallest margin over the need.
TIP, LENGTH, CHORD, LUNG, PUNCTURES, FISSURES, MARGIN = range(7)
QUANTITIES = 7


@jit_inline
def table_distance(fields, p, d, s):  # type: ignore[no-untyped-def]
    """Signed distance of p + s d to the table's plane, positive on the patient's side. [mm]"""
    n = fields.table_normal
    return (
        fields.table_offset
        - (n[0] * p[0] + n[1] * p[1] + n[2] * p[2])
        - s * (n[0] * d[0] + n[1] * d[1] + n[2] * d[2])
    )


@jit_inline
def bore_distance(fields, p, d, s):  # type: ignore[no-untyped-def]
    """Signed distance of p + s d to the bore's wall, positive inside. [mm]"""
    along, squared = 0.0, 0.0
    for a in range(3):
        x = p[a] + s * d[a] - fields.bore_centre[a]
        along += x * fields.bore_axis[a]
        squared += x * x
    return fields.bore_radius - sqrt(max(0.0, squared - along * along))


@jit_inline
def table_and_bore_verdict(fields, p, d, tip):  # type: ignore[no-untyped-def]
    """The verdict on table and bore. The free space of both is convex, so the needle's ends are enough."""
    end = tip + fields.needle_length
    hub_end = end + fields.hub_length
    if min(table_distance(fields, p, d, tip), table_distance(fields, p, d, end)) < fields.table_need:
        return TABLE
    least = min(table_distance(fields, p, d, end), table_distance(fields, p, d, hub_end))
    if least < fields.table_need + fields.hub_extra:
        return TABLE
    if min(bore_distance(fields, p, d, tip), bore_distance(fields, p, d, hub_end)) < fields.hub_radius:
        return BORE
    return SAFE


@jit_inline
def quick_verdict(fields, p, d):  # type: ignore[no-untyped-def]
    """A fast preliminary test: a reason to refuse the line, or SAFE, which here only means that none was
    found."""
    enter, leave = box_span(fields, p, d)
    if leave < enter:
        return MISSES_TARGET
    # The tip lies between these two, so the needle's end lies between these two ends, and every needle
    # reaches `end`.
    end = enter + fields.needle_length
    last_end = leave + fields.needle_length
    if max(table_distance(fields, p, d, end), table_distance(fields, p, d, last_end)) < fields.table_need:
        return TABLE
    return BLOCKED if leave < end and surely_blocked(fields, p, d, leave, end) else SAFE


@jit
def test_line(fields, p, d, quantities):  # type: ignore[no-untyped-def]
    """Verdict on the line p + s d (3-tuples, d outward); fills `quantities` (QUANTITIES) as far as it gets.

    The verdict is the first reason found; fast tests come first. `first_blocks` gives the point along the
    needle where an obstacle first comes too near.
    """
    enter, leave = box_span(fields, p, d)
    tip, near_side, chord = target_span(fields, p, d, enter, leave)
    if near_side < tip or chord < fields.min_chord:
        return MISSES_TARGET
    quantities[TIP] = tip
    quantities[CHORD] = chord
    verdict = table_and_bore_verdict(fields, p, d, tip)
    if verdict != SAFE:
        return verdict
    end = tip + fields.needle_length
    at, margin = clear_until(fields, p, d, tip, end, 0.0)
    if at < end:
        return BLOCKED
    verdict, length, lung, pieces = body_walk(fields, p, d, tip)
    quantities[LENGTH] = length
    quantities[LUNG] = lung
    quantities[MARGIN] = margin
    if verdict != SAFE:
        return verdict
    hub_end = end + fields.hub_length
    if clear_until(fields, p, d, end, hub_end, fields.hub_extra)[0] < hub_end:
        return HUB_BLOCKED
    punctures, fissures = counts_along(fields, p, d, tip, length, lung, pieces)
    quantities[PUNCTURES] = punctures
    quantities[FISSURES] = fissures
    return SAFE


@jit
def _sift_range(fields, points, outwards, verdicts, first, last):  # type: ignore[no-untyped-def]
    for i in range(first, last):
        p = (points[i, 0], points[i, 1], points[i, 2])
        d = (outwards[i, 0], outwards[i, 1], outwards[i, 2])
        verdicts[i] = quick_verdict(fields, p, d)


@jit
def _test_range(fields, points, outwards, order, verdicts, quantities, first, last):  # type: ignore[no-untyped-def]
    for n in range(first, last):
        i = order[n]
        p = (points[i, 0], points[i, 1], points[i, 2])
        d = (outwards[i, 0], outwards[i, 1], outwards[i, 2])
        verdicts[i] = test_line(fields, p, d, quantities[i])


def test_lines(
    fields: SearchFields, points_B: Float[np.ndarray, "n 3"], outwards_B: Float[np.ndarray, "n 3"]
) -> tuple[UInt8[np.ndarray, "n"], Float[np.ndarray, "n q"]]:
    """Verdicts and quantities (columns above) of lines: a point on each and its outward unit vector, in B.

    Lines that pass the preliminary test are tested in order of direction: lines with similar directions read
    the same data, which is then in the processor's cache.
    """
    verdicts = np.empty(len(points_B), np.uint8)
    quantities = np.zeros((len(points_B), QUANTITIES))
    parallel_for(lambda a, b: _sift_range(fields, points_B, outwards_B, verdicts, a, b), len(points_B))
    remaining = np.flatnonzero(verdicts == SAFE)
    order = remaining[by_direction(outwards_B[remaining])]
    parallel_for(
        lambda a, b: _test_range(fields, points_B, outwards_B, order, verdicts, quantities, a, b), len(order)
    )
    return verdicts, quantities


def first_verdicts(
    fields: SearchFields, points_B: Float[np.ndarray, "n 3"], outwards_B: Float[np.ndarray, "n 3"]
) -> UInt8[np.ndarray, "n"]:
    """Verdicts of lines, each the first reason that `test_line` finds, without the preliminary test."""
    verdicts = np.empty(len(points_B), np.uint8)
    quantities = np.zeros((len(points_B), QUANTITIES))
    order = by_direction(outwards_B)
    parallel_for(
        lambda a, b: _test_range(fields, points_B, outwards_B, order, verdicts, quantities, a, b), len(order)
    )
    return verdicts


@jit
def _direction_range(outwards, keys, first, last):  # type: ignore[no-untyped-def]
    """Position on the octahedron's faces, unfolded to a square; the bits of its two coordinates are
    interleaved."""
    for i in range(first, last):
        x, y, z = outwards[i, 0], outwards[i, 1], outwards[i, 2]
        size = abs(x) + abs(y) + abs(z)
        u, v = x / size, y / size
        if z < 0.0:
            u, v = (1.0 - abs(v)) * (1.0 if u >= 0.0 else -1.0), (1.0 - abs(u)) * (1.0 if v >= 0.0 else -1.0)
        a, b = int(127.5 * (u + 1.0)), int(127.5 * (v + 1.0))
        key = 0
        for bit in range(8):
            key |= ((a >> bit) & 1) << (2 * bit) | ((b >> bit) & 1) << (2 * bit + 1)
        keys[i] = key


def by_direction(outwards_B: Float[np.ndarray, "n 3"]) -> np.ndarray:
    """An order (n,) in which neighbouring lines have nearly the same direction."""
    keys = np.empty(len(outwards_B), np.uint16)
    parallel_for(lambda a, b: _direction_range(outwards_B, keys, a, b), len(outwards_B))
    return np.argsort(keys, kind="stable")


@jit
def _block_range(fields, points, outwards, blocks, first, last):  # type: ignore[no-untyped-def]
    for i in range(first, last):
        p = (points[i, 0], points[i, 1], points[i, 2])
        d = (outwards[i, 0], outwards[i, 1], outwards[i, 2])
        enter, leave = box_span(fields, p, d)
        tip, near_side, _ = target_span(fields, p, d, enter, leave)
        if leave < enter or near_side < tip:
            continue
        end = tip + fields.needle_length
        at = clear_until(fields, p, d, tip, end, 0.0)[0]
        if at >= end:
            end += fields.hub_length
            at = clear_until(fields, p, d, at, end, fields.hub_extra)[0]
        if at < end:
            blocks[i] = at


def first_blocks(
    fields: SearchFields, points_B: Float[np.ndarray, "n 3"], outwards_B: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, " n"]:
    """Where each needle or its hub first comes too near an obstacle, from the tip outward: s on its line.

    Infinite if it never does, or if the line misses the target.
    """
    blocks = np.full(len(points_B), np.inf)
    parallel_for(lambda a, b: _block_range(fields, points_B, outwards_B, blocks, a, b), len(points_B))
    return blocks


@jit
def _margin_range(fields, points, outwards, quantities, first, last):  # type: ignore[no-untyped-def]
    for i in range(first, last):
        p = (points[i, 0], points[i, 1], points[i, 2])
        d = (outwards[i, 0], outwards[i, 1], outwards[i, 2])
        tip = quantities[i, TIP]
        quantities[i, MARGIN] = least_margin(fields, p, d, tip, tip + fields.needle_length)


def refine_margins(
    fields: SearchFields,
    points_B: Float[np.ndarray, "n 3"],
    outwards_B: Float[np.ndarray, "n 3"],
    quantities: Float[np.ndarray, "n q"],
) -> None:
    """Replace the margins of safe lines, in place, by more precise ones that differ between neighbouring
    lines."""
    parallel_for(lambda a, b: _margin_range(fields, points_B, outwards_B, quantities, a, b), len(points_B))
