"""Lung bound: a lower bound on lung length, which no safe path of any direction can undercut.

In each cell that was not proved blocked, lung counts only at depths where the whole cell is inside lung:
where the centre line is deeper in lung than the cell is wide. Cells that graze the pleura count little, so
the bound is often 0.0, which gives no information.
"""

from math import sqrt

import numpy as np

from anatomy.geometry.distance_field import field_nodes_over, signed_distance
from anatomy.runtime.jit import jit
from anatomy.runtime.parallel import parallel_for
from planner.measuring.tissue_codes import LUNG
from planner.search.kernels.cell import cell_radius_at
from planner.search.kernels.lookup import bounds_from_node
from planner.search.kernels.search_fields import SearchFields
from planner.search.line_net import Blocks, Cells, lines_of
from planner.search.scene_fields import BODY_FIELD_STEP_MM


def lung_bound_mm(fields: SearchFields, b: Blocks, alive: Cells) -> float:
    """The smallest value over all cells of the lung length that every line of the cell certainly crosses.
    [mm]

    `alive` must contain every safe line: the cells that a level left, with their depths. 0.0 without lung.
    """
    lung = fields.tissue >= LUNG
    if not len(alive) or not lung.any():
        return 0.0
    lower, upper = np.array(fields.lower), np.array(fields.upper)
    nodes = field_nodes_over(lower, upper, BODY_FIELD_STEP_MM)
    field = signed_distance(lung, fields.spacing, nodes)
    step = (float(nodes.step_mm[0]), float(nodes.step_mm[1]), float(nodes.step_mm[2]))
    point, outward = lines_of(b, alive)
    gap = (b.depth_c - b.depth_a)[alive.block]
    near_side = (b.depth_b - b.depth_a)[alive.block]
    least = np.zeros(len(alive))
    parallel_for(
        lambda first, last: _least(
            fields,
            field,
            step,
            point,
            outward,
            b.w[alive.block],
            gap,
            near_side,
            alive.half,
            least,
            first,
            last,
        ),
        len(alive),
    )
    return float(least.min())


@jit
def _least(fields, field, step, point, outward, w, gap, near_side, half, least, first, last):  # type: ignore[no-untyped-def]
    for i in range(first, last):
        d = outward[i]
        along = 1.0 / (d[0] * w[i, 0] + d[1] * w[i, 1] + d[2] * w[i, 2])
        # Beyond the needle's end on the line with the largest slope nothing counts.
        more = sqrt(max(0.0, along * along - 1.0)) + 4.0 * max(half[i, 0], half[i, 1]) / gap[i]
        length = min(gap[i], fields.needle_length / sqrt(1.0 + more * more)) * along
        # Every needle runs between the target's near side and plane C as long as it is in the body; beyond
        # the skin there is no lung to count.
        s = near_side[i] * along
        sure = 0.0
        while s < length:
            x, y, z = point[i, 0] + s * d[0], point[i, 1] + s * d[1], point[i, 2] + s * d[2]
            if not (
                fields.lower[0] <= x <= fields.upper[0]
                and fields.lower[1] <= y <= fields.upper[1]
                and fields.lower[2] <= z <= fields.upper[2]
            ):
                break
            low, high = bounds_from_node(field, fields.lower, step, x, y, z)
            wide = cell_radius_at(s, gap[i] * along, half[i, 0], half[i, 1])
            inside = -(high + wide)
            if inside > 0.0:
                advance = min(max(inside, 0.5), length - s)
                # The lines of a cell are not parallel, so depth across the planes is counted, not length
                # along a line.
                sure += min(inside, advance) / along
                s += advance
            else:
                s += max(low - wide, 1.0)
        least[i] = sure
