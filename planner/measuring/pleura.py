"""Pleura: punctures and fissures of an axis, from the pieces of lung that it passes, in order.

    wall )  upper  |  lower  (  mediastinum  . speck .  ) lower (     a piece: lung of one lobe, uninterrupted
           |----- one run -----|                            |-----|   a run: pieces that touch

A run of PLEURAL_RUN_MM or more is a visit to the lung. Runs closer than PLEURAL_GAP_MM, or with only voids
enclosed by lung between them, are the same visit. Specks (shorter runs) do not join visits: the gap between
two runs is measured as if the specks were not there. Only specks close together without a longer run count:
as one visit, if their total is at least PLEURAL_RUN_MM. Each visit is a puncture; a total of PLEURAL_RUN_MM
of lung gives at least one.

Within a visit, pieces of one lobe closer than LOBE_RUN_MM are one section of the lobe, whatever lies between
them. Sections that hold LOBE_RUN_MM or more of their lobe are ordered by their middles, and each change of
lobe is a fissure; of two sections with the same middle only the longer, which encloses the other, counts. No
rule depends on the direction in which the axis is walked.
"""

import numpy as np

from anatomy.runtime.jit import jit, jit_inline
from planner.records.paths import LOBE_RUN_MM, LUNG_ROUNDING_MM, PLEURAL_GAP_MM, PLEURAL_RUN_MM

MIN_RUN_MM = PLEURAL_RUN_MM - LUNG_ROUNDING_MM
_MIN_GAP_MM = PLEURAL_GAP_MM - LUNG_ROUNDING_MM
_MIN_LOBE_MM = LOBE_RUN_MM - LUNG_ROUNDING_MM


@jit
def punctures_and_fissures(lobes, starts, ends, leaves):  # type: ignore[no-untyped-def]
    """Punctures and fissures for n pieces of lung, in order along the axis; pieces that touch are of
    different lobes.

    `lobes` (n,) are numbers, `starts` and `ends` (n,) positions; `leaves` (n,) says whether the axis leaves
    lung and its voids between the previous piece and this one. [mm]
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
    """Visits to the lung, and fissures crossed in them, for pieces that are all close to their neighbours."""
    visits, fissures = 0, 0
    begun, ended = first, first
    has_left = False
    run = first
    while run < last:
        has_left = has_left or leaves[run]
        after = run + 1
        while after < last and starts[after] - ends[after - 1] < LUNG_ROUNDING_MM:
            after += 1
        if ends[after - 1] - starts[run] >= MIN_RUN_MM:
            if visits == 0 or (has_left and starts[run] - ends[ended - 1] >= _MIN_GAP_MM):
                if visits > 0:
                    fissures += _lobe_changes(lobes, starts, ends, begun, ended)
                visits += 1
                begun = run
            ended = after
            has_left = False
        run = after
    if visits == 0:
        return 1, _lobe_changes(lobes, starts, ends, first, last)
    return visits, fissures + _lobe_changes(lobes, starts, ends, begun, ended)


@jit
def _lobe_changes(lobes, starts, ends, first, last):  # type: ignore[no-untyped-def]
    """Number of changes of lobe along the sections of lobes in these pieces."""
    lobe = np.empty(last - first, np.int64)
    begun, ended, lung_mm = np.empty(last - first), np.empty(last - first), np.empty(last - first)
    count = 0
    for piece in range(first, last):
        length = ends[piece] - starts[piece]
        at = count - 1
        while at >= 0 and lobe[at] != lobes[piece]:
            at -= 1
        if at >= 0 and starts[piece] - ended[at] < _MIN_LOBE_MM:
            ended[at] = ends[piece]
            lung_mm[at] += length
        else:
            lobe[count] = lobes[piece]
            begun[count], ended[count], lung_mm[count] = starts[piece], ends[piece], length
            count += 1
    order = np.argsort(begun[:count] + ended[:count], kind="mergesort")
    changes, before = 0, -1
    for at in order:
        if lung_mm[at] >= _MIN_LOBE_MM and not _in_the_middle(begun, ended, lung_mm, count, at):
            if before >= 0 and lobe[at] != before:
                changes += 1
            before = lobe[at]
    return changes


@jit_inline
def _in_the_middle(begun, ended, lung_mm, count, at):  # type: ignore[no-untyped-def]
    """Whether a section lies inside another that holds enough lung, and both have the same middle."""
    within = False
    for other in range(count):
        apart = abs(begun[other] + ended[other] - begun[at] - ended[at])
        if apart < 2.0 * LUNG_ROUNDING_MM and begun[other] < begun[at] and lung_mm[other] >= _MIN_LOBE_MM:
            within = True
    return within
