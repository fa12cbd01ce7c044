"""Appraisal of given needles: where they run and what they come near, for many in one call.

    sets (nx, ny, nz)     each voxel's set of structures; set 0 is empty
    starts, members       set c holds the structures members[starts[c]:starts[c + 1]], by their numbers

A structure's number below `forbidden` says that its role is forbidden. All distances are exact to the
original voxels' boxes.
"""

import numpy as np

from planner.clearance import nearest_of_each
from planner.crossings import SHORTEST_MM
from planner.kernels.jit import loop
from planner.kernels.line import bore_distance, table_distance
from planner.kernels.pleura import counts_along
from planner.kernels.voxels import body_walk
from planner.segments import clamped_polyline
from planner.voxelwalk import runs_along

# Columns of what is found of one needle: the verdict of its walk to the skin, lengths in mm, counts, and free
# distances of axis to table (needle, hub) and bore.
WALK, LENGTH, LUNG, PUNCTURES, FISSURES, NEEDLE_TABLE, HUB_TABLE, BORE_ROOM = range(8)
COLUMNS = 8


@loop
def appraise_range(  # type: ignore[no-untyped-def]
    world, sets, starts, members, forbidden, reach, cap, hub_reach, tips, outwards, columns, needle, hub,
    first, last,
):  # fmt: skip
    """Fill rows first to last of `columns` (n, COLUMNS), and of `needle` and `hub` (n, structures): distances
    from the axis to each structure that lies within `reach` (needle) or `hub_reach`, else infinity. [mm]

    Where no forbidden structure lies within `reach` of the needle, it grows until one does, or to `cap`.
    `tips` (n, 3) in B, `outwards` (n, 3) unit vectors from tip to entry.
    """
    lower = np.array(world.lower)
    upper = np.array(world.upper)
    spacing = np.array(world.spacing)
    for i in range(first, last):
        p = (tips[i, 0], tips[i, 1], tips[i, 2])
        d = (outwards[i, 0], outwards[i, 1], outwards[i, 2])
        walk, length, lung, pieces = body_walk(world, p, d, 0.0)
        punctures, fissures = counts_along(world, p, d, 0.0, length, lung, pieces)
        end = world.needle_length
        hub_end = end + world.hub_length
        columns[i, WALK] = walk
        columns[i, LENGTH] = length
        columns[i, LUNG] = lung
        columns[i, PUNCTURES] = punctures
        columns[i, FISSURES] = fissures
        at_end = table_distance(world, p, d, end)
        columns[i, NEEDLE_TABLE] = min(table_distance(world, p, d, 0.0), at_end)
        columns[i, HUB_TABLE] = min(at_end, table_distance(world, p, d, hub_end))
        columns[i, BORE_ROOM] = min(bore_distance(world, p, d, 0.0), bore_distance(world, p, d, hub_end))
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


@loop
def cross_range(  # type: ignore[no-untyped-def]
    sets, starts, members, spacing, entries, inwards, lengths, structures, counts, crossed, spans, first, last
):
    """Fill rows first to last of `crossed` (n, m), numbers of structures, and `spans` (n, m, 2), depths from
    the entry between which the axis runs in each; `counts` says how many, room for them or not. [mm]

    `entries` (n, 3) in B, `inwards` (n, 3) unit vectors.
    """
    open_at = np.empty(structures)
    for i in range(first, last):
        labels, bounds = runs_along(sets, spacing, entries[i], inwards[i], lengths[i])
        open_at[:] = -1.0
        n = 0
        for run in range(labels.shape[0] + 1):
            depth = bounds[run]
            here = labels[run] if run < labels.shape[0] else 0
            for s in range(structures):
                inside = False
                for q in range(starts[here], starts[here + 1]):
                    inside = inside or members[q] == s
                if inside and open_at[s] < 0.0:
                    open_at[s] = depth
                elif not inside and open_at[s] >= 0.0:
                    if depth - open_at[s] >= SHORTEST_MM:
                        if n < crossed.shape[1]:
                            crossed[i, n] = s
                            spans[i, n, 0] = open_at[s]
                            spans[i, n, 1] = depth
                        n += 1
                    open_at[s] = -1.0
        counts[i] = n
