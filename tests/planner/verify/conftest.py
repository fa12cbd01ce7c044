"""What the tests of verification have in common."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
import pytest

from planner.sources.source import Source
from planner.verify.dose.seed_doses import SeedDoses

MOST_KEPT = 300
"""Arrays of doses, at most 0.2 MB each."""


@pytest.fixture(autouse=True, scope="module")
def doses_computed_once() -> Iterator[None]:
    """Verifications of one plan with many faults compute the same doses at the same points once."""
    computed: OrderedDict[tuple[Source, float, bytes], np.ndarray] = OrderedDict()
    compute = SeedDoses.doses

    def doses(seeds: SeedDoses, points_P: np.ndarray) -> np.ndarray:
        arrays = hashlib.blake2b()
        for array in (seeds.centres_P, seeds.axes_P, points_P):
            arrays.update(repr(array.shape).encode() + np.ascontiguousarray(array, float).tobytes())
        key = seeds.source, seeds.strength_u, arrays.digest()
        if key not in computed:
            computed[key] = compute(seeds, points_P)
            if len(computed) > MOST_KEPT:
                computed.popitem(last=False)
        computed.move_to_end(key)
        return computed[key].copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SeedDoses, "doses", doses)
        yield
