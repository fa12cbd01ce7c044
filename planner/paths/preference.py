"""Preference: the requested order, applied to lines that are tested but not yet measured.

It selects the lines worth measuring among a million safe lines. The final order is that of
`planner.paths.ranking`, of measured paths; scores that the search does not compute, such as angles, are used
only there.
"""

import numpy as np
from jaxtyping import Float

from planner.paths.ranking import ROUNDING_DECIMALS
from planner.records.request.ranking import DEFAULT_RANKING, PathOrder
from planner.search.kernels.line import CHORD, FISSURES, LENGTH, LUNG, MARGIN, PUNCTURES

_COLUMNS = {
    "lung_length_mm": (LUNG, 1.0),
    "pleural_punctures": (PUNCTURES, 1.0),
    "fissures_crossed": (FISSURES, 1.0),
    "clearance_mm": (MARGIN, -1.0),
    "length_mm": (LENGTH, 1.0),
    "target_chord_mm": (CHORD, -1.0),
}
"""Score name to column of kernels.line, and the sign that makes less better. MARGIN is relative to the need:
it differs from clearance by a constant if all clearances are equal."""


def preference(quantities: Float[np.ndarray, "n q"], order: PathOrder) -> Float[np.ndarray, "n k"]:
    """Sort keys of each line, the first deciding, less is better. Lung is always one of them.

    Rounded as in ranking: lines that differ only by rounding are equal, so that rounding never decides which
    of them is polished, and how.
    """
    if order.weights:
        total = np.zeros(len(quantities))
        for name, weight in sorted(order.weights.items()):
            if name in _COLUMNS:
                column, sign = _COLUMNS[name]
                total += weight * sign * quantities[:, column]
        return np.stack([total, quantities[:, LUNG]], axis=1).round(ROUNDING_DECIMALS)
    names = [name for name in (*order.scores, *DEFAULT_RANKING) if name in _COLUMNS]
    columns = [_COLUMNS[name] for name in dict.fromkeys(names)]
    keys = [sign * quantities[:, column] for column, sign in columns]
    return np.stack(keys, axis=1).round(ROUNDING_DECIMALS)


def best_first(keys: Float[np.ndarray, "n k"]) -> np.ndarray:
    """Indices (n,) that sort the keys; stable."""
    return np.lexsort(keys.T[::-1])
