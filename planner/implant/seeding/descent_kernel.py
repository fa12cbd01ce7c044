"""The compiled loop of the descent: the best change of one seed, repeated until no change helps.

Seeds are visited in the order of their slots. Each is moved to its best slot or removed. After the last one,
a seed is added where this helps. Ties go to the first slot, so that equal problems give equal seeds.
"""

from typing import NamedTuple

import numpy as np

from anatomy.runtime.jit import jit
from planner.implant.seeding.goal_cost_kernel import cost_below, cost_with


class SlotTable(NamedTuple):
    """n slots on t tracks, as the compiled loops take them.

    Of each slot: its `row` in `dose` (r, m) [Gy], its track, its centre [mm, B], and whether it is closed.
    `dose_in_place` (m,) is the dose of seeds that are in place already. [Gy] `track_cost` (t,) is what the
    first seed on each track costs, `conflicts` (t, t) which tracks cannot both have seeds. `same2` and `any2`
    are the squares of the least distance of seeds, on one track and on any two. [mm2]
    """

    dose: np.ndarray
    row: np.ndarray
    dose_in_place: np.ndarray
    track: np.ndarray
    centre: np.ndarray
    closed: np.ndarray
    track_cost: np.ndarray
    conflicts: np.ndarray
    same2: float
    any2: float


@jit
def descend(goals, slots, seed_cost, gain, passes, may_add, chosen):  # type: ignore[no-untyped-def]
    """Change `chosen` (n,) in place until no change of a single seed lowers the cost by more than `gain`, in
    at most `passes` over all seeds."""
    idle = 0
    more = 1 if may_add else 0
    for _ in range(passes):
        rows = np.flatnonzero(chosen)
        for i in range(rows.shape[0] + more):
            row = rows[i] if i < rows.shape[0] else -1
            idle = 0 if _move(goals, slots, seed_cost, gain, chosen, row) else idle + 1
            if idle >= chosen.sum() + more:
                return


@jit
def _standing(goals, slots, seed_cost, chosen, total, dose):  # type: ignore[no-untyped-def]
    """Total cost of the chosen slots. Their dose, always summed in the same order, is written to `dose`."""
    m = dose.shape[0]
    for i in range(m):
        total[i] = slots.dose_in_place[i]
    opened = np.zeros(slots.track_cost.shape[0], np.bool_)
    extra = 0.0
    for k in range(chosen.shape[0]):
        if chosen[k]:
            row = slots.dose[slots.row[k]]
            for i in range(m):
                total[i] += row[i]
            extra += seed_cost
            if not opened[slots.track[k]]:
                opened[slots.track[k]] = True
                extra += slots.track_cost[slots.track[k]]
    for i in range(m):
        dose[i] = np.float32(total[i])
    return cost_with(goals, dose, np.zeros_like(dose))[0] + extra, extra, opened


@jit
def _move(goals, slots, seed_cost, gain, chosen, row):  # type: ignore[no-untyped-def]
    """Move one seed (-1: a new one) to its best slot, in place, or remove it if that is better. Returns
    whether anything changed."""
    m = slots.dose_in_place.shape[0]
    total, dose = np.empty(m, np.float64), np.empty(m, np.float32)
    here = _standing(goals, slots, seed_cost, chosen, total, dose)[0]
    if row >= 0:
        chosen[row] = False
    least, extra, opened = _standing(goals, slots, seed_cost, chosen, total, dose)
    excluded = np.zeros(opened.shape[0], np.bool_)
    for t in range(opened.shape[0]):
        if opened[t]:
            for u in range(opened.shape[0]):
                excluded[u] |= slots.conflicts[t, u]
    seeds = np.flatnonzero(chosen)
    best = -1
    for k in range(chosen.shape[0]):
        track = slots.track[k]
        if slots.closed[k] or excluded[track] or not _clear(slots, seeds, k):
            continue
        added = seed_cost + (0.0 if opened[track] else slots.track_cost[track])
        cost = cost_below(goals, dose, slots.dose[slots.row[k]], least - extra - added) + extra + added
        if cost < least:
            least, best = cost, k
    if least >= here - gain:
        if row >= 0:
            chosen[row] = True
        return False
    if best >= 0:
        chosen[best] = True
    return True


@jit
def _clear(slots, seeds, k):  # type: ignore[no-untyped-def]
    """Whether a slot is far enough from all seeds, and has none itself."""
    for s in seeds:
        apart2 = 0.0
        for a in range(3):
            apart2 += (slots.centre[k, a] - slots.centre[s, a]) ** 2
        near2 = slots.same2 if slots.track[s] == slots.track[k] else slots.any2
        if apart2 < near2:
            return False
    return True
