"""Preference: the request's order over lines that are tested but not yet measured.

Among a million safe lines it picks those worth measuring. The final order is `planner.paths.ranking`'s, of
measured paths; scores that the search does not compute (angles, say) join in only there.
"""

import numpy as np
from jaxtyping import Float

from planner.paths.ranking import ROUNDING_DECIMALS
from planner.records.request import DEFAULT_RANKING, Request
from planner.search.kernels.line import CHORD, FISSURES, LENGTH, LUNG, MARGIN, PUNCTURES

_COLUMNS = {
    "lung_length_mm": (LUNG, 1.0),
    "pleural_punctures": (PUNCTURES, 1.0),
    "fissures_crossed": (FISSURES, 1.0),
    "clearance_mm": (MARGIN, -1.0),
    "length_mm": (LENGTH, 1.0),
    "target_chord_mm": (CHORD, -1.0),
}
"""Score name to column of kernels.line and the sign that makes less better. MARGIN is over the need, a
constant away from clearance where all clearances are equal."""


def preference(quantities: Float[np.ndarray, "n q"], request: Request) -> Float[np.ndarray, "n k"]:
    """Keys of each line, the first deciding, less better. Lung is always among them.

    Rounded as in ranking: lines that differ by rounding alone are equal, so that it never decides which of
    them is polished, and how.
    """
    if request.weights:
        total = np.zeros(len(quantities))
        for name, weight in sorted(request.weights.items()):
            if name in _COLUMNS:
                column, sign = _COLUMNS[name]
                total += weight * sign * quantities[:, column]
        return np.stack([total, quantities[:, LUNG]], axis=1).round(ROUNDING_DECIMALS)
    known = [name for name in (*request.ranking, *DEFAULT_RANKING) if name in _COLUMNS]
    columns = [_COLUMNS[name] for name in dict.fromkeys(known)]
    keys = [sign * quantities[:, column] for column, sign in columns]
    return np.stack(keys, axis=1).round(ROUNDING_DECIMALS)


def best_first(keys: Float[np.ndarray, "n k"]) -> np.ndarray:
    """Indices (n,) that sort the keys, stable."""
    return np.lexsort(keys.T[::-1])
