"""CT values: whether the file given as CT can be one, by its values."""

import numpy as np
from jaxtyping import Int16

from anatomy.errors import ReadError

FEW_VALUES = 256
"""A label map holds fewer different values, a CT far more [U]."""

AIR_BELOW_HU = -200
"""A CT of a chest contains air: values below this [U]."""


class ValuesSeen:
    """Which Hounsfield units occur, collected slab by slab."""

    def __init__(self) -> None:
        self._seen = np.zeros(2**16, bool)

    def add(self, slab_hu: Int16[np.ndarray, "..."]) -> None:
        """Add one slab's values."""
        self._seen[slab_hu.astype(np.int32) + 2**15] = True

    def refuse_labels(self, file: str) -> None:
        """Raise ReadError if the values are those of a label map or a mask: few, and none of them air."""
        values = np.flatnonzero(self._seen) - 2**15
        if len(values) <= FEW_VALUES and values[0] > AIR_BELOW_HU:
            many = f"{len(values)} different values" if len(values) > 1 else "one value"
            raise ReadError(
                file,
                f"it holds {many}, from {values[0]} to {values[-1]}, like a label map or mask, and no air",
                "Give the CT itself, in Hounsfield units, or leave it out.",
            )
