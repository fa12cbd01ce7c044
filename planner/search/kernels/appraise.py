"""Appraisal kernel: where given needles run and what they come near, for many needles in one call.

    sets (nx, ny, nz)     each voxel's set of structures; set 0 is empty
    starts, members       set c holds the structures members[starts[c]:starts[c + 1]], by their numbers

Structures with a number below `forbidden` have the role forbidden. All distances are exact, to the boxes of
the original voxels.
"""

import numpy as np

from anatomy.runtime.jit import jit
from planner.measuring.clearance import nearest_of_each
from planner.measuring.segment_box import clamped_polyline
from planner.search.kernels.line import bore_distance, table_distance
from planner.search.kernels.pleura_along import counts_along
from planner.search.kernels.voxels import body_walk

# Columns of one needle's results: the verdict of its walk to the skin, lengths in mm, counts, and distances
# of the axis to table (needle, hub) and bore.
WALK, LENGTH, LUNG, PUNCTURES, FISSURES, NEEDLE_TABLE, HUB_TABLE, BORE_DISTANCE = range(8)
COLUMNS = 8


@jit
def appraise_range(  # type: ignore[no-untyped-def]
    fields, sets, starts, members, forbidden, reach, cap, hub_reach, tips, outwards, columns, needle, hub,
    first, last,
):  # fmt: skip
    """Fill rows first to last of `columns` (n, COLUMNS), and of `needle` and `hub` (n, structures): distances
    from the axis to each structure within `reach` (needle) or `hub_reach`, else infinity. [mm]

    If no forbidden structure lies within `reach` of the needle, the reach grows until one does, or to `cap`.
    `tips` (n, 3) in B, `outwards` (n, 3) unit vectors from tip to entry.
    """
    lower = np.array(fields.lower)
    upper = np.array(fields.upper)
    spacing = np.array(fields.spacing)
    for i in range(first, last):
        p = (tips[i, 0], tips[i, 1], tips[i, 2])
        d = (outwards[i, 0], outwards[i, 1], outwards[i, 2])
        walk, length, lung, pieces = body_walk(fields, p, d, 0.0)
        punctures, fissures = counts_along(fields, p, d, 0.0, length, lung, pieces)
        end = fields.needle_length
        hub_end = end + fields.hub_length
        columns[i, WALK] = walk
        columns[i, LENGTH] = length
        columns[i, LUNG] = lung
        columns[i, PUNCTURES] = punctures
        columns[i, FISSURES] = fissures
        at_end = table_distance(fields, p, d, end)
        columns[i, NEEDLE_TABLE] = min(table_distance(fields, p, d, 0.0), at_end)
        columns[i, HUB_TABLE] = min(at_end, table_distance(fields, p, d, hub_end))
        columns[i, BORE_DISTANCE] = min(
            bore_distance(fields, p, d, 0.0), bore_distance(fields, p, d, hub_end)
        )
        needle_end_B = tips[i] + end * outwards[i]
        axis_B = clamped_polyline(tips[i], needle_end_B, lower, upper)
        within = reach
        while True:
            needle[i] = np.inf
            nearest_of_each(sets, starts, members, spacing, axis_B, within, needle[i])
            if within >= cap or needle[i, :forbidden].min() < np.inf:
                break
            within = min(cap, 2.0 * within)
        hub[i] = np.inf
        hub_B = clamped_polyline(needle_end_B, tips[i] + hub_end * outwards[i], lower, upper)
        nearest_of_each(sets, starts, members, spacing, hub_B, hub_reach, hub[i])
