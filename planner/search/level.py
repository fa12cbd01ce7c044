"""Level: one pass over many cells. Each is halved in its coordinates; its children are proved blocked, or
their centre lines are tested. Children are computed in registers, and only the remaining ones are stored."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from anatomy.runtime.jit import jit
from anatomy.runtime.parallel import parallel_for
from planner.search.kernels.cell import (
    ALIVE,
    CENTRE_BLOCKED,
    ELSEWHERE,
    covered_radius,
    obstacle_above,
    test_cell,
)
from planner.search.kernels.line import QUANTITIES, test_line
from planner.search.kernels.search_fields import SearchFields
from planner.search.line_net import SIXTEENTHS, Blocks, Cells


@jit
def _test_range(  # type: ignore[no-untyped-def]
    fields, w, e1, e2, origin, depth_a, depth_b, depth_c, neighbours,
    block, centre, half, depths, radius_mm, per_parent,
    state, radius, child_depths, verdict, quantities, first, last,
):  # fmt: skip
    for i in range(first * per_parent, last * per_parent):
        parent, child = i // per_parent, i % per_parent
        n = block[parent]
        half_a, half_c = half[parent, 0], 0.5 * half[parent, 1]
        a1, a2 = centre[parent, 0], centre[parent, 1]
        c1 = centre[parent, 2] + (half_c if child & 1 else -half_c)
        c2 = centre[parent, 3] + (half_c if child & 2 else -half_c)
        if per_parent == SIXTEENTHS:
            half_a = 0.5 * half_a
            a1 += half_a if child & 4 else -half_a
            a2 += half_a if child & 8 else -half_a
        gap = depth_c[n] - depth_a[n]
        m1, m2 = (c1 - a1) / gap, (c2 - a2) / gap
        along = sqrt(1.0 + m1 * m1 + m2 * m2)
        dx = (w[n, 0] + m1 * e1[n, 0] + m2 * e2[n, 0]) / along
        dy = (w[n, 1] + m1 * e1[n, 1] + m2 * e2[n, 1]) / along
        dz = (w[n, 2] + m1 * e1[n, 2] + m2 * e2[n, 2]) / along
        # Directions in the cell differ from d by at most `turn`, as chords of the unit sphere: if a line's
        # nearest w is this block's, d is nearer to a neighbour's w by at most twice that.
        turn = sqrt(2.0) * (half_a + half_c) / gap
        own = sqrt((dx - w[n, 0]) ** 2 + (dy - w[n, 1]) ** 2 + (dz - w[n, 2]) ** 2)
        here = True
        for m in range(neighbours.shape[1]):
            ox, oy, oz = neighbours[n, m, 0], neighbours[n, m, 1], neighbours[n, m, 2]
            if own > sqrt((dx - ox) ** 2 + (dy - oy) ** 2 + (dz - oz) ** 2) + 2.0 * turn:
                here = False
                break
        if not here:
            state[i] = ELSEWHERE
            continue
        p = (
            origin[0] + depth_a[n] * w[n, 0] + a1 * e1[n, 0] + a2 * e2[n, 0],
            origin[1] + depth_a[n] * w[n, 1] + a1 * e1[n, 1] + a2 * e2[n, 1],
            origin[2] + depth_a[n] * w[n, 2] + a1 * e1[n, 2] + a2 * e2[n, 2],
        )
        d = (dx, dy, dz)
        # What is true for all lines of the parent is true for the child's: the parent's depths give a radius
        # at no cost.
        first_depth, skin, tightest = depths[parent, 0], depths[parent, 1], depths[parent, 2]
        radius[i] = covered_radius(first_depth, skin, gap, half_a, half_c)
        if skin > 0.0 and radius[i] <= radius_mm:
            # Fine enough: if the centre line is not safe, no path of the cell stays safe when displaced by
            # the radius, so nothing is left to prove.
            if obstacle_above(fields, p, d, tightest * along) < 0.0:
                state[i] = CENTRE_BLOCKED
                continue
            state[i] = ALIVE
        else:
            near_side = (depth_b[n] - depth_a[n]) * along
            state[i], first_depth, skin, tightest = test_cell(
                fields, p, d, gap * along, gap, half_a, half_c, near_side, tightest * along
            )
            first_depth, skin, tightest = first_depth / along, skin / along, tightest / along
            radius[i] = covered_radius(first_depth, skin, gap, half_a, half_c)
        if state[i] == ALIVE:
            child_depths[i, 0], child_depths[i, 1], child_depths[i, 2] = first_depth, skin, tightest
            verdict[i] = test_line(fields, p, d, quantities[i])


@dataclass(frozen=True, eq=False)
class CellResults:
    """Results for the children of m parents; child c of parent i is in row per_parent * i + c.

    Verdict and quantities are valid only if the state is ALIVE.
    """

    state: UInt8[np.ndarray, "n"]
    radius_mm: Float64[np.ndarray, "n"]
    depths_mm: Float32[np.ndarray, "n 3"]
    verdict: UInt8[np.ndarray, "n"]
    quantities: Float32[np.ndarray, "n q"]


def test_children(
    fields: SearchFields, b: Blocks, parents: Cells, per_parent: int, radius_mm: float
) -> CellResults:
    """Test all children of `parents`, which are QUARTERS or SIXTEENTHS of each.

    For cells that cover at most `radius_mm`, only the centre lines matter.
    """
    n = len(parents) * per_parent
    results = CellResults(
        np.empty(n, np.uint8),
        np.zeros(n),
        np.zeros((n, 3), np.float32),
        np.zeros(n, np.uint8),
        np.zeros((n, QUANTITIES), np.float32),
    )
    parallel_for(
        lambda first, last: _test_range(
            fields, b.w, b.e1, b.e2, b.centre, b.depth_a, b.depth_b, b.depth_c, b.neighbours,
            parents.block, parents.centre, parents.half, parents.depths, radius_mm, per_parent,
            results.state, results.radius_mm, results.depths_mm, results.verdict, results.quantities,
            first, last,
        ),
        len(parents),
    )  # fmt: skip
    return results
