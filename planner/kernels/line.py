"""The test of one line: where the needle would run, and whether every part of it is clear.

tip o=====target=====)........lung........(....wall....| entry          | hub
    s = tip                                            s = tip + length s = tip + needle_length
    |<---------------- the needle's capsule, clear over its whole length ------->|
"""

from math import sqrt

import numpy as np
from jaxtyping import Bool, Float, UInt8

from anatomy.threads import spread
from planner.kernels.clear import clear_until
from planner.kernels.jit import loop
from planner.kernels.screen import blocked_at
from planner.kernels.verdicts import BLOCKED, BORE, HUB_BLOCKED, MISSES_TARGET, SAFE, TABLE
from planner.kernels.voxels import body_walk, target_span
from planner.world import World

# Columns of a line's quantities: s of the tip, lengths in mm, counts, the least margin over the need, and
# the s at which a refused line was refused.
TIP, LENGTH, CHORD, LUNG, PUNCTURES, FISSURES, MARGIN, AT = range(8)
QUANTITIES = 8


@loop
def table_distance(world, p, d, s):  # type: ignore[no-untyped-def]
    """Signed distance of p + s d to the table's plane, positive on the patient's side. [mm]"""
    n = world.table_normal
    return (
        world.table_offset
        - (n[0] * p[0] + n[1] * p[1] + n[2] * p[2])
        - s * (n[0] * d[0] + n[1] * d[1] + n[2] * d[2])
    )


@loop
def bore_distance(world, p, d, s):  # type: ignore[no-untyped-def]
    """Signed distance of p + s d to the bore's wall, positive inside. [mm]"""
    along, squared = 0.0, 0.0
    for a in range(3):
        x = p[a] + s * d[a] - world.bore_centre[a]
        along += x * world.bore_axis[a]
        squared += x * x
    return world.bore_radius - sqrt(max(0.0, squared - along * along))


@loop
def room_verdict(world, p, d, tip):  # type: ignore[no-untyped-def]
    """Table and bore. Both leave a convex room free, so the needle's ends tell of all between."""
    end = tip + world.needle_length
    hub_end = end + world.hub_length
    if min(table_distance(world, p, d, tip), table_distance(world, p, d, end)) < world.table_need:
        return TABLE
    least = min(table_distance(world, p, d, end), table_distance(world, p, d, hub_end))
    if least < world.table_need + world.hub_extra:
        return TABLE
    if bore_distance(world, p, d, hub_end) < world.hub_radius:
        return BORE
    return SAFE


@loop
def test_line(world, p, d, quantities):  # type: ignore[no-untyped-def]
    """Verdict on the line p + s d (3-tuples, d outward); fills `quantities` (QUANTITIES) as far as it got."""
    tip, near, chord = target_span(world, p, d)
    if near < tip:
        return MISSES_TARGET
    quantities[TIP] = tip
    quantities[CHORD] = chord
    quantities[AT] = tip
    verdict = room_verdict(world, p, d, tip)
    if verdict != SAFE:
        return verdict
    end = tip + world.needle_length
    at = blocked_at(world, p, d, tip, end)
    margin = 0.0
    if at >= end:
        at, margin = clear_until(world, p, d, tip, end, 0.0)
    quantities[AT] = at
    if at < end:
        return BLOCKED
    verdict, length, lung, punctures, fissures = body_walk(world, p, d, tip)
    quantities[LENGTH] = length
    quantities[LUNG] = lung
    quantities[PUNCTURES] = punctures
    quantities[FISSURES] = fissures
    quantities[MARGIN] = margin
    if verdict != SAFE:
        return verdict
    at, _ = clear_until(world, p, d, end, end + world.hub_length, world.hub_extra)
    quantities[AT] = at
    if at < end + world.hub_length:
        return HUB_BLOCKED
    return SAFE


@loop
def _test_range(world, points, outwards, verdicts, quantities, first, last):  # type: ignore[no-untyped-def]
    for i in range(first, last):
        p = (points[i, 0], points[i, 1], points[i, 2])
        d = (outwards[i, 0], outwards[i, 1], outwards[i, 2])
        verdicts[i] = test_line(world, p, d, quantities[i])


def test_lines(
    world: World, points_B: Float[np.ndarray, "n 3"], outwards_B: Float[np.ndarray, "n 3"]
) -> tuple[UInt8[np.ndarray, "n"], Float[np.ndarray, "n q"]]:
    """Verdicts and quantities (columns above) of lines: a point on each and its outward unit vector, in B."""
    verdicts = np.empty(len(points_B), np.uint8)
    quantities = np.zeros((len(points_B), QUANTITIES))
    spread(lambda a, b: _test_range(world, points_B, outwards_B, verdicts, quantities, a, b), len(points_B))
    return verdicts, quantities


@loop
def _clear_range(world, points, outwards, clear, first, last):  # type: ignore[no-untyped-def]
    end = world.needle_length
    for i in range(first, last):
        p = (points[i, 0], points[i, 1], points[i, 2])
        d = (outwards[i, 0], outwards[i, 1], outwards[i, 2])
        clear[i] = (
            blocked_at(world, p, d, 0.0, end) >= end and clear_until(world, p, d, 0.0, end, 0.0)[0] >= end
        )


def needles_clear(
    world: World, tips_B: Float[np.ndarray, "n 3"], outwards_B: Float[np.ndarray, "n 3"]
) -> Bool[np.ndarray, " n"]:
    """Whether needles with these tips keep every clearance over their whole length. Nothing else is asked."""
    clear = np.empty(len(tips_B), np.bool_)
    spread(lambda a, b: _clear_range(world, tips_B, outwards_B, clear, a, b), len(tips_B))
    return clear
