"""Descent: the best change of one seed, again and again, until none helps.

Seeds are taken in the order of their slots; each goes where it does best, or away; after the last, one more
is added where that helps. Ties go to the first slot, so equal problems give equal seeds.
"""

from typing import NamedTuple

import numpy as np

from anatomy.runtime.jit import jit
from planner.implant.seeding.goal_cost_kernel import cost_below, cost_with


class Places(NamedTuple):
    """n slots on t tracks, each with its row of `dose` beside what is `there` (m,) [Gy], its centre [mm, B]
    and whether it is shut; what the first seed on each track costs (t,), which cannot both have seeds (t, t);
    and the squares of how near seeds may stand, on one track and on any. [mm2]"""

    dose: np.ndarray
    row: np.ndarray
    there: np.ndarray
    track: np.ndarray
    centre: np.ndarray
    shut: np.ndarray
    opening: np.ndarray
    conflicts: np.ndarray
    same2: float
    any2: float


@jit
def descend(goals, places, seed_cost, gain, passes, may_add, chosen):  # type: ignore[no-untyped-def]
    """Change `chosen` (n,) in place until no change of a single seed gains more than `gain`, in `passes` over
    all seeds at most."""
    idle = 0
    more = 1 if may_add else 0
    for _ in range(passes):
        rows = np.flatnonzero(chosen)
        for i in range(rows.shape[0] + more):
            row = rows[i] if i < rows.shape[0] else -1
            idle = 0 if _move(goals, places, seed_cost, gain, chosen, row) else idle + 1
            if idle >= chosen.sum() + more:
                return


@jit
def _standing(goals, places, seed_cost, chosen, total, dose):  # type: ignore[no-untyped-def]
    """What the chosen slots cost in all; their dose, always summed in the same order, is left in `dose`."""
    m = dose.shape[0]
    for i in range(m):
        total[i] = places.there[i]
    opened = np.zeros(places.opening.shape[0], np.bool_)
    extra = 0.0
    for k in range(chosen.shape[0]):
        if chosen[k]:
            row = places.dose[places.row[k]]
            for i in range(m):
                total[i] += row[i]
            extra += seed_cost
            if not opened[places.track[k]]:
                opened[places.track[k]] = True
                extra += places.opening[places.track[k]]
    for i in range(m):
        dose[i] = np.float32(total[i])
    return cost_with(goals, dose, np.zeros_like(dose))[0] + extra, extra, opened


@jit
def _move(goals, places, seed_cost, gain, chosen, row):  # type: ignore[no-untyped-def]
    """Put one seed (-1: one more) where it does best, in place, or take it away where that is better. Says
    whether anything changed."""
    m = places.there.shape[0]
    total, dose = np.empty(m, np.float64), np.empty(m, np.float32)
    here = _standing(goals, places, seed_cost, chosen, total, dose)[0]
    if row >= 0:
        chosen[row] = False
    least, extra, opened = _standing(goals, places, seed_cost, chosen, total, dose)
    excluded = np.zeros(opened.shape[0], np.bool_)
    for t in range(opened.shape[0]):
        if opened[t]:
            for u in range(opened.shape[0]):
                excluded[u] |= places.conflicts[t, u]
    seeds = np.flatnonzero(chosen)
    best = -1
    for k in range(chosen.shape[0]):
        track = places.track[k]
        if places.shut[k] or excluded[track] or not _clear(places, seeds, k):
            continue
        added = seed_cost + (0.0 if opened[track] else places.opening[track])
        cost = cost_below(goals, dose, places.dose[places.row[k]], least - extra - added) + extra + added
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
def _clear(places, seeds, k):  # type: ignore[no-untyped-def]
    """Whether a slot is far enough from all seeds, and holds none of them."""
    for s in seeds:
        apart2 = 0.0
        for a in range(3):
            apart2 += (places.centre[k, a] - places.centre[s, a]) ** 2
        near2 = places.same2 if places.track[s] == places.track[k] else places.any2
        if apart2 < near2:
            return False
    return True
