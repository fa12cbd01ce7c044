"""Pleural punctures and fissures of an axis, from the pieces of lung that it runs through, in order.

    wall )  upper  |  lower  (  mediastinum  . speck .  ) lower (     a piece: lung of one lobe, uninterrupted
           |----- one run -----|                            |-----|   a run: pieces that touch

A run of PLEURAL_RUN_MM or more is a visit to the lung, and runs that lie closer than PLEURAL_GAP_MM, or that
only voids enclosed by lung lie between, are the same visit. Specks join no visits: what lies between two runs
is measured as if they were not there. Only where nothing but specks lie close together are they counted: as
one visit, if they come to PLEURAL_RUN_MM. Each visit is a puncture; any lung of that length makes one.

Within a visit pieces of one lobe that lie closer than LOBE_RUN_MM are one stretch of it, whatever lies
between. Stretches that hold LOBE_RUN_MM or more of their lobe, ordered by their middles, make a fissure
wherever the lobe changes; of two with one middle only the longer, around the other, counts. No rule depends
on the direction in which an axis is walked.
"""

import numpy as np

from planner.kernels.jit import inlined, loop
from planner.kernels.voxels import face, voxel_of
from planner.records import LOBE_RUN_MM, LUNG_ROUNDING_MM, PLEURAL_GAP_MM, PLEURAL_RUN_MM
from planner.world import LUNG, VOID

_LEAST_RUN_MM = PLEURAL_RUN_MM - LUNG_ROUNDING_MM
_LEAST_GAP_MM = PLEURAL_GAP_MM - LUNG_ROUNDING_MM
_LEAST_LOBE_MM = LOBE_RUN_MM - LUNG_ROUNDING_MM


@loop
def punctures_and_fissures(lobes, starts, ends, leaves):  # type: ignore[no-untyped-def]
    """Both counts of n pieces of lung, in order along the axis, the touching ones of different lobes.

    `lobes` (n,) numbers, `starts` and `ends` (n,) places; `leaves` (n,) whether lung and its voids are left
    between the piece before and this one. [mm]
    """
    n = len(lobes)
    punctures, fissures = 0, 0
    total = 0.0
    first = 0
    while first < n:
        last = first + 1
        length = ends[first] - starts[first]
        while last < n and not (leaves[last] and starts[last] - ends[last - 1] >= _LEAST_GAP_MM):
            length += ends[last] - starts[last]
            last += 1
        total += length
        if length >= _LEAST_RUN_MM:
            visits, changes = _visits(lobes, starts, ends, leaves, first, last)
            punctures += visits
            fissures += changes
        first = last
    if total >= _LEAST_RUN_MM:
        punctures = max(punctures, 1)
    return punctures, fissures


@loop
def _visits(lobes, starts, ends, leaves, first, last):  # type: ignore[no-untyped-def]
    """Visits to the lung, and fissures crossed in them, of pieces that all lie near their neighbours."""
    visits, fissures = 0, 0
    begun, ended = first, first
    left = False
    run = first
    while run < last:
        left = left or leaves[run]
        after = run + 1
        while after < last and starts[after] - ends[after - 1] < LUNG_ROUNDING_MM:
            after += 1
        if ends[after - 1] - starts[run] >= _LEAST_RUN_MM:
            if visits == 0 or (left and starts[run] - ends[ended - 1] >= _LEAST_GAP_MM):
                if visits > 0:
                    fissures += _lobe_changes(lobes, starts, ends, begun, ended)
                visits += 1
                begun = run
            ended = after
            left = False
        run = after
    if visits == 0:
        return 1, _lobe_changes(lobes, starts, ends, first, last)
    return visits, fissures + _lobe_changes(lobes, starts, ends, begun, ended)


@loop
def _lobe_changes(lobes, starts, ends, first, last):  # type: ignore[no-untyped-def]
    """How often the lobe changes along the stretches of lobes among these pieces."""
    lobe = np.empty(last - first, np.int64)
    begun, ended, held = np.empty(last - first), np.empty(last - first), np.empty(last - first)
    count = 0
    for piece in range(first, last):
        length = ends[piece] - starts[piece]
        at = count - 1
        while at >= 0 and lobe[at] != lobes[piece]:
            at -= 1
        if at >= 0 and starts[piece] - ended[at] < _LEAST_LOBE_MM:
            ended[at] = ends[piece]
            held[at] += length
        else:
            lobe[count] = lobes[piece]
            begun[count], ended[count], held[count] = starts[piece], ends[piece], length
            count += 1
    order = np.argsort(begun[:count] + ended[:count], kind="mergesort")
    changes, before = 0, -1
    for at in order:
        if held[at] >= _LEAST_LOBE_MM and not _in_the_middle(begun, ended, held, count, at):
            if before >= 0 and lobe[at] != before:
                changes += 1
            before = lobe[at]
    return changes


@inlined
def _in_the_middle(begun, ended, held, count, at):  # type: ignore[no-untyped-def]
    """Whether a stretch lies within another that holds enough, and their middles are one."""
    within = False
    for other in range(count):
        apart = abs(begun[other] + ended[other] - begun[at] - ended[at])
        if apart < 2.0 * LUNG_ROUNDING_MM and begun[other] < begun[at] and held[other] >= _LEAST_LOBE_MM:
            within = True
    return within


@inlined
def counts_along(world, p, d, tip, length, lung, pieces):  # type: ignore[no-untyped-def]
    """Pleural punctures and fissures on a way that `body_walk` found so long, with so much lung in so many
    pieces. One piece is one run in one lobe; only of more are their places asked."""
    if pieces > 1:
        return _counts_of_pieces(world, p, d, tip, tip + length, pieces)
    return (1 if lung >= _LEAST_RUN_MM else 0), 0


@loop
def _counts_of_pieces(world, p, d, tip, end, most):  # type: ignore[no-untyped-def]
    """Both counts from s = `tip` to `end`, where the body is left a voxel or more inside the field of view;
    room for `most` pieces."""
    hx, hy, hz = world.spacing
    i, j, k = voxel_of(p[0], d[0], tip, hx), voxel_of(p[1], d[1], tip, hy), voxel_of(p[2], d[2], tip, hz)
    sx, sy, sz = face(p[0], d[0], i, hx), face(p[1], d[1], j, hy), face(p[2], d[2], k, hz)
    lobes, leaves = np.empty(most, np.int64), np.empty(most, np.bool_)
    starts, ends = np.empty(most), np.empty(most)
    count = 0
    s, begun = tip, tip
    last, outside = np.int64(0), 0.0
    while s < end:
        out = min(end, max(s, min(sx, min(sy, sz))))
        here = np.int64(world.tissue[i, j, k])
        if here != last and out > s:
            if last >= LUNG and s - begun >= LUNG_ROUNDING_MM and count < most:
                lobes[count], starts[count], ends[count] = last, begun, s
                leaves[count] = outside >= LUNG_ROUNDING_MM
                outside = 0.0
                count += 1
            last, begun = here, s
        if here < VOID:
            outside += out - s
        s = out
        if sx <= sy and sx <= sz:
            i += 1 if d[0] > 0.0 else -1
            sx = face(p[0], d[0], i, hx)
        elif sy <= sz:
            j += 1 if d[1] > 0.0 else -1
            sy = face(p[1], d[1], j, hy)
        else:
            k += 1 if d[2] > 0.0 else -1
            sz = face(p[2], d[2], k, hz)
    if last >= LUNG and s - begun >= LUNG_ROUNDING_MM and count < most:
        lobes[count], starts[count], ends[count] = last, begun, s
        leaves[count] = outside >= LUNG_ROUNDING_MM
        count += 1
    return punctures_and_fissures(lobes[:count], starts[:count], ends[:count], leaves[:count])
