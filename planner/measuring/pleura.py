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

from anatomy.runtime.jit import jit, jit_inline
from planner.records.paths import LOBE_RUN_MM, LUNG_ROUNDING_MM, PLEURAL_GAP_MM, PLEURAL_RUN_MM

MIN_RUN_MM = PLEURAL_RUN_MM - LUNG_ROUNDING_MM
_MIN_GAP_MM = PLEURAL_GAP_MM - LUNG_ROUNDING_MM
_MIN_LOBE_MM = LOBE_RUN_MM - LUNG_ROUNDING_MM


@jit
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
        while last < n and not (leaves[last] and starts[last] - ends[last - 1] >= _MIN_GAP_MM):
            length += ends[last] - starts[last]
            last += 1
        total += length
        if length >= MIN_RUN_MM:
            visits, changes = _visits(lobes, starts, ends, leaves, first, last)
            punctures += visits
            fissures += changes
        first = last
    if total >= MIN_RUN_MM:
        punctures = max(punctures, 1)
    return punctures, fissures


@jit
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
        if ends[after - 1] - starts[run] >= MIN_RUN_MM:
            if visits == 0 or (left and starts[run] - ends[ended - 1] >= _MIN_GAP_MM):
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


@jit
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
        if at >= 0 and starts[piece] - ended[at] < _MIN_LOBE_MM:
            ended[at] = ends[piece]
            held[at] += length
        else:
            lobe[count] = lobes[piece]
            begun[count], ended[count], held[count] = starts[piece], ends[piece], length
            count += 1
    order = np.argsort(begun[:count] + ended[:count], kind="mergesort")
    changes, before = 0, -1
    for at in order:
        if held[at] >= _MIN_LOBE_MM and not _in_the_middle(begun, ended, held, count, at):
            if before >= 0 and lobe[at] != before:
                changes += 1
            before = lobe[at]
    return changes


@jit_inline
def _in_the_middle(begun, ended, held, count, at):  # type: ignore[no-untyped-def]
    """Whether a stretch lies within another that holds enough, and their middles are one."""
    within = False
    for other in range(count):
        apart = abs(begun[other] + ended[other] - begun[at] - ended[at])
        if apart < 2.0 * LUNG_ROUNDING_MM and begun[other] < begun[at] and held[other] >= _MIN_LOBE_MM:
            within = True
    return within
