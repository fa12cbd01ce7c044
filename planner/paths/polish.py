"""Polishing: move each candidate a little, at target and skin, as long as it improves in the requested order.

A pattern search in the four coordinates of a line. Every trial is tested completely, so a polished line is as
safe as a line from the search. Deterministic: fixed patterns, halved steps, and the first of equally good
trials wins.
"""

from itertools import product

import numpy as np
from jaxtyping import Float
from scipy.stats import qmc

from planner.paths.preference import preference
from planner.records.request.ranking import PathOrder
from planner.search.kernels import line
from planner.search.kernels.search_fields import SearchFields
from planner.search.kernels.verdicts import SAFE
from planner.search.search import SafeLines

FINEST_MM = 0.1
"""The smallest step: a tenth of the accuracy of the best guides (clinical notes, section 4)."""
TRIES_PER_STEP = 6
GAIN = 1e-6
"""A trial must be better by more than rounding."""

COMPASS = np.array(
    [sign * np.eye(4)[axis] for axis in range(4) for sign in (1.0, -1.0)]
    + [np.array(signs) for signs in product((0.7, -0.7), repeat=4)]
)
"""A few directions: fast, for many lines."""

THOROUGH = 2.0 * qmc.Halton(4, scramble=False).random(257)[1:] - 1.0
"""Many points of the neighbourhood: where safe lines are few, COMPASS stops at the first edge."""


def polish(
    fields: SearchFields,
    lines: SafeLines,
    step_mm: float,
    order: PathOrder,
    pattern: Float[np.ndarray, "m 4"] = COMPASS,
) -> SafeLines:
    """The lines, each moved to a local optimum within a few `step_mm`.

    `pattern` holds moves of tip and entry across the line, two coordinates each, relative to the step.
    """
    point, outward, quantities = lines.point_B.copy(), lines.outward_B.copy(), lines.quantities.astype(float)
    line.refine_margins(fields, point, outward, quantities)
    while step_mm >= FINEST_MM and len(point):
        for _ in range(TRIES_PER_STEP):
            moved = _improve(fields, point, outward, quantities, step_mm * pattern, order)
            if not moved:
                break
        step_mm *= 0.5
    return SafeLines(point, outward, quantities)


def displaced_lines(
    point: Float[np.ndarray, "n 3"],
    outward: Float[np.ndarray, "n 3"],
    quantities: Float[np.ndarray, "n q"],
    steps: Float[np.ndarray, "m 4"],
) -> tuple[Float[np.ndarray, "n m 3"], Float[np.ndarray, "n m 3"]]:
    """Points and outward unit vectors of each line, displaced across the line by each step. [mm]"""
    tip = point + quantities[:, line.TIP, None] * outward
    entry = tip + quantities[:, line.LENGTH, None] * outward
    helper = np.where(np.abs(outward[:, 2:]) < 0.9, np.array([[0.0, 0.0, 1.0]]), np.array([[1.0, 0.0, 0.0]]))
    e1 = np.cross(helper, outward)
    e1 /= np.linalg.norm(e1, axis=1)[:, None]
    e2 = np.cross(outward, e1)
    tips = tip[:, None] + steps[:, 0, None] * e1[:, None] + steps[:, 1, None] * e2[:, None]
    entries = entry[:, None] + steps[:, 2, None] * e1[:, None] + steps[:, 3, None] * e2[:, None]
    turned = entries - tips
    turned /= np.linalg.norm(turned, axis=2)[:, :, None]
    return tips, turned


def _improve(
    fields: SearchFields,
    point: np.ndarray,
    outward: np.ndarray,
    quantities: np.ndarray,
    steps: np.ndarray,
    order: PathOrder,
) -> bool:
    """Move each line to its best trial, in place. Returns whether any line was moved."""
    n, m = len(point), len(steps)
    tips, turned = displaced_lines(point, outward, quantities, steps)
    verdicts, trial = line.test_lines(fields, tips.reshape(-1, 3), turned.reshape(-1, 3))
    safe = np.flatnonzero(verdicts == SAFE)
    better = trial[safe]
    line.refine_margins(fields, tips.reshape(-1, 3)[safe], turned.reshape(-1, 3)[safe], better)
    trial[safe] = better
    keys = preference(trial, order)
    keys[verdicts != SAFE] = np.inf
    keys = keys.reshape(n, m, -1)
    here = preference(quantities, order)
    moved = False
    for i in range(n):
        best = int(np.lexsort(keys[i].T[::-1])[0])
        if _better(keys[i, best], here[i]):
            point[i], outward[i] = tips[i, best], turned[i, best]
            quantities[i] = trial.reshape(n, m, -1)[i, best]
            moved = True
    return moved


def _better(trial: Float[np.ndarray, " k"], here: Float[np.ndarray, " k"]) -> bool:
    for new, old in zip(trial, here, strict=True):
        if new < old - GAIN:
            return True
        if new > old + GAIN:
            return False
    return False
