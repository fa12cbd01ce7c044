"""Exchange: neighbouring seeds are removed together and placed again, and their needles with them.

No change of a single seed leads from one needle to another, because all seeds of the first would have to move
at once. So a few seeds, or all seeds of a few needles, are removed. A descent then places seeds again in the
slots around them, on any allowed needle and at its cost. The result is kept if it is better, or, in early
rounds, not much worse.

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
from planner.implant.seeding.descent import MIN_GAIN, descended
from planner.implant.seeding.placement_problem import PlacementProblem

REFILL_RADIUS_MM = 8.0
"""Seeds are placed again within this distance of the removed ones: less than that of neighbouring seeds
[U]."""
MIN_SEEDS_OUT, MAX_SEEDS_OUT = 3, 8
MAX_NEEDLES_OUT = 3
"""Number of seeds, or needles, that are removed at once [U]."""

AllowedTracks = Callable[[Int[np.ndarray, " k"]], bool]
"""Whether these tracks may carry seeds together, in addition to the conflicts of the problem itself."""
KeepTrying = Callable[[float], bool]
"""Called before every round with the share of rounds that are done. False: time is up."""
TRIALS_PER_ROUND = 4
"""Number of trials of a round. All start from the same seeds and run in parallel, and the best one counts.
The number is fixed, so that the result does not depend on the number of threads [U]."""
ROUNDS = 220
"""Number of rounds [U]."""
START_TEMPERATURE = 0.03
"""In the first round, a trial that costs more by this amount is accepted; this falls to 0 in the last round.
Some ways to a better set lead through a worse one [U]."""


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
        limit = cost + START_TEMPERATURE * (1.0 - number / ROUNDS) - MIN_GAIN
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
    """The trials of a round with their costs, the best first. Of equal ones, the first comes first."""
    generators = rng.spawn(TRIALS_PER_ROUND)
    trials: list[tuple[float, np.ndarray]] = [(inf, chosen)] * TRIALS_PER_ROUND

    def run(first: int, last: int) -> None:
        for n in range(first, last):
            trial = _trial(problem, chosen, generators[n])
            trials[n] = problem.cost(trial)[0], trial

    parallel_for(run, TRIALS_PER_ROUND)
    return sorted(trials, key=lambda cost_and_trial: cost_and_trial[0])


def _trial(
    problem: PlacementProblem, chosen: Bool[np.ndarray, " n"], rng: np.random.Generator
) -> Bool[np.ndarray, " n"]:
    """Some seeds are removed and their surroundings filled again."""
    nearest = _by_distance(problem, np.flatnonzero(chosen), rng)
    exchange = _exchange_seeds if rng.random() < 0.5 else _exchange_needles
    return exchange(problem, chosen, nearest, rng)


def _by_distance(
    problem: PlacementProblem, seeded: Int[np.ndarray, " k"], rng: np.random.Generator
) -> Int[np.ndarray, " k"]:
    """The slots with seeds, ordered by their distance from one that is drawn at random."""
    centre = problem.slots.centre_B[seeded]
    apart = np.linalg.norm(centre - centre[rng.integers(len(seeded))], axis=1)
    return np.asarray(seeded[np.argsort(apart, kind="stable")])


def _exchange_seeds(
    problem: PlacementProblem, chosen: np.ndarray, nearest: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Neighbouring seeds are removed and placed again, starting with one at a random slot among them."""
    out = nearest[: rng.integers(MIN_SEEDS_OUT, MAX_SEEDS_OUT + 1)]
    part, around, others, start = _without(problem, chosen, out)
    free = part.free(start)
    if len(free):
        start[rng.choice(free)] = True
    others[around] = descended(part, start)
    return others


def _exchange_needles(
    problem: PlacementProblem, chosen: np.ndarray, nearest: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The seeds of neighbouring needles are removed and placed again. The first of these needles is used
    again only if no other is better."""
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
    """The problem of the slots around removed seeds; these slots; the seeds elsewhere, which stay; and the
    remaining seeds in these slots, to start from."""
    around = _slots_around(problem, out)
    remaining = chosen.copy()
    remaining[out] = False
    others = remaining.copy()
    others[around] = False
    return problem.part(around, others), around, others, remaining[around]


def _slots_around(problem: PlacementProblem, out: Int[np.ndarray, " k"]) -> Int[np.ndarray, " j"]:
    """The slots around the removed seeds."""
    around = np.zeros(len(problem.slots), bool)
    _mark_around(problem.slots.centre_B, out, REFILL_RADIUS_MM * REFILL_RADIUS_MM, around)
    return np.flatnonzero(around)


@jit
def _mark_around(centre, out, reach2, around):  # type: ignore[no-untyped-def]
    """Mark the rows of `centre` within the square root of `reach2` of any row in `out`."""
    for n in range(len(centre)):
        for row in out:
            away2 = 0.0
            for a in range(3):
                away2 += (centre[n, a] - centre[row, a]) ** 2
            if away2 <= reach2:
                around[n] = True
                break
