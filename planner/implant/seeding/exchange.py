"""Exchange: seeds that stand near each other are taken out together and placed anew, and their needles with
them.

No change of a single seed leads from one needle to another: all seeds of the first would have to move at
once. So a few seeds, or all seeds of a few needles, are taken out; a descent places seeds anew among the
slots around them, on any needle that has room and at its price; and what comes out is kept where it is
better, or at first not much worse.

    o   o | o   o        o   o | o   o          one needle may go, another come
    o   x | x   o   -->  o     |     o   -->    o  o  |  o   o
    o   x | o   o        o     | o   o          o     | o    o

Known as large neighbourhood search (Shaw 1998, 10.1007/3-540-49481-2_30), cooled as in simulated annealing
(Kirkpatrick 1983, 10.1126/science.220.4598.671).
"""

from collections.abc import Callable
from dataclasses import replace
from math import inf

import numpy as np
from jaxtyping import Bool, Int

from anatomy.runtime.jit import jit
from anatomy.runtime.parallel import parallel_for
from planner.implant.seeding.descent import LEAST_GAIN, descended
from planner.implant.seeding.placement_problem import PlacementProblem

REFILL_RADIUS_MM = 8.0
"""Seeds are placed anew within this of those taken out: less than the distance of neighbouring seeds [U]."""
MIN_SEEDS_OUT, MAX_SEEDS_OUT = 3, 8
MAX_NEEDLES_OUT = 3
"""How many seeds, or needles, are taken out at once [U]."""

AllowedTracks = Callable[[Int[np.ndarray, " k"]], bool]
"""Whether these tracks may carry seeds together, beyond what the problem itself forbids."""
KeepTrying = Callable[[float], bool]
"""Told before every round of trials which share of them was made; False: time is up."""
TRIALS_PER_ROUND = 4
"""Trials of a round. All start from the same seeds, on as many threads as there are, and the best one counts:
a fixed number, so that one thread and many give the same seeds [U]."""
ROUNDS = 220
"""Rounds of trials [U]."""
START_TEMPERATURE = 0.03
"""At the first round what is dearer by this is taken up all the same, at the last nothing is: some ways to a
better set lead through a worse one [U]."""


def exchanged(
    problem: PlacementProblem,
    start: Bool[np.ndarray, " n"],
    allowed: AllowedTracks,
    go_on: KeepTrying,
    rng: np.random.Generator,
) -> Bool[np.ndarray, " n"]:
    """The best seeds found from `start` on, in ROUNDS or while `go_on` says so. Equal generators give equal
    seeds."""
    chosen, cost = start, problem.cost(start)[0]
    best, least = chosen, cost
    for number in range(ROUNDS):
        if not chosen.any() or not go_on(number / ROUNDS):
            break
        limit = cost + START_TEMPERATURE * (1.0 - number / ROUNDS) - LEAST_GAIN
        for reached, trial in _round(problem, chosen, rng):
            if reached < limit and not np.array_equal(trial, chosen) and allowed(problem.tracks(trial)):
                chosen, cost = trial, reached
                break
        if cost < least:
            best, least = chosen, cost
    return best


def _round(
    problem: PlacementProblem, chosen: Bool[np.ndarray, " n"], rng: np.random.Generator
) -> list[tuple[float, np.ndarray]]:
    """Trials and what each costs, the best first; of equals the one made first."""
    generators = rng.spawn(TRIALS_PER_ROUND)
    found: list[tuple[float, np.ndarray]] = [(inf, chosen)] * TRIALS_PER_ROUND

    def run(first: int, last: int) -> None:
        for n in range(first, last):
            trial = _trial(problem, chosen, generators[n])
            found[n] = problem.cost(trial)[0], trial

    parallel_for(run, TRIALS_PER_ROUND)
    return sorted(found, key=lambda one: one[0])


def _trial(
    problem: PlacementProblem, chosen: Bool[np.ndarray, " n"], rng: np.random.Generator
) -> Bool[np.ndarray, " n"]:
    """Some seeds taken out and their place filled again."""
    nearest = _by_distance(problem, np.flatnonzero(chosen), rng)
    anew = _seeds_anew if rng.random() < 0.5 else _needles_anew
    return anew(problem, chosen, nearest, rng)


def _by_distance(
    problem: PlacementProblem, seeded: Int[np.ndarray, " k"], rng: np.random.Generator
) -> Int[np.ndarray, " k"]:
    """The slots of seeds, nearest first to one of them."""
    centre = problem.slots.centre_B[seeded]
    apart = np.linalg.norm(centre - centre[rng.integers(len(seeded))], axis=1)
    return np.asarray(seeded[np.argsort(apart, kind="stable")])


def _seeds_anew(
    problem: PlacementProblem, chosen: np.ndarray, nearest: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Neighbouring seeds placed anew around one that stands anywhere between them."""
    out = nearest[: rng.integers(MIN_SEEDS_OUT, MAX_SEEDS_OUT + 1)]
    part, around, others, start = _without(problem, chosen, out)
    free = part.free(start)
    if len(free):
        start[rng.choice(free)] = True
    others[around] = descended(part, start)
    return others


def _needles_anew(
    problem: PlacementProblem, chosen: np.ndarray, nearest: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Neighbouring needles without their seeds; the first of them comes back only where none does better."""
    track = problem.slots.track
    tracks = list(dict.fromkeys(track[nearest].tolist()))[: rng.integers(1, MAX_NEEDLES_OUT + 1)]
    out = nearest[np.isin(track[nearest], tracks)]
    part, around, others, start = _without(problem, chosen, out)
    first_shut = replace(part, closed=part.closed | (part.slots.track == tracks[0]))
    others[around] = descended(part, descended(first_shut, start))
    return others


def _without(
    problem: PlacementProblem, chosen: np.ndarray, out: np.ndarray
) -> tuple[PlacementProblem, np.ndarray, np.ndarray, np.ndarray]:
    """The problem of the slots around seeds that are taken out; these slots; the seeds elsewhere, which stay;
    and the seeds around that are left in, to start from."""
    around = _within(problem, out)
    left = chosen.copy()
    left[out] = False
    others = left.copy()
    others[around] = False
    return problem.part(around, others), around, others, left[around]


def _within(problem: PlacementProblem, out: Int[np.ndarray, " k"]) -> Int[np.ndarray, " j"]:
    """Slots around those that are taken out."""
    near = np.zeros(len(problem.slots), bool)
    _mark_near(problem.slots.centre_B, out, REFILL_RADIUS_MM * REFILL_RADIUS_MM, near)
    return np.flatnonzero(near)


@jit
def _mark_near(centre, out, reach2, near):  # type: ignore[no-untyped-def]
    """Mark what lies within the square root of `reach2` of any row of `out`."""
    for n in range(len(centre)):
        for row in out:
            away2 = 0.0
            for a in range(3):
                away2 += (centre[n, a] - centre[row, a]) ** 2
            if away2 <= reach2:
                near[n] = True
                break
