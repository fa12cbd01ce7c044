"""Label values: stored numbers, which must be whole, not negative, and named.

A voxel with an unnamed label could be the aorta: it is an error, never background.
"""

import re
from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt

from anatomy.errors import ReadError

MAX_LABEL = 65535

WHOLE_TOLERANCE = 1e-4
"""A stored label times the header's float32 scale may differ from a whole number by rounding, but not
more."""


_DECIMAL = re.compile(r"0*([0-9]{1,10})")


def whole_number(text: str) -> int | None:
    """The number, 0 or more, that plain decimal digits mean, with spaces around them ignored; None for any
    other text. No number here has more than ten digits, and Python itself refuses more than 4,300."""
    match = _DECIMAL.fullmatch(text.strip())
    return None if match is None else int(match.group(1))


def to_labels(values: np.ndarray, file: str) -> UInt[np.ndarray, "..."]:
    """Stored values of any number type as uint16 labels.

    Raises ReadError for NaN, fractions (a probability map is not a label map), negatives and values above
    65535.
    """
    if values.dtype == np.uint8 or values.dtype == np.uint16:
        return np.asarray(values, np.uint16)
    if values.size == 0:
        return values.astype(np.uint16)
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ReadError(file, "it holds NaN or infinite voxels", "Write labels as whole numbers.")
    if low < -WHOLE_TOLERANCE:
        raise ReadError(
            file, f"it holds the negative value {low:g}", "Labels are 0 and above: is it CT, not labels?"
        )
    if high > MAX_LABEL + WHOLE_TOLERANCE:
        raise ReadError(file, f"it holds the value {high:g}", f"Labels go up to {MAX_LABEL}.")
    if values.dtype.kind == "f":
        rounded = np.rint(values)
        apart = np.abs(values - rounded)
        if apart.max() > WHOLE_TOLERANCE:
            worst = values.flat[int(np.argmax(apart))]
            raise ReadError(
                file,
                f"it holds the value {worst:g}, which is not a whole number",
                "Give labels, not probabilities or an interpolated mask: resample with nearest neighbour.",
            )
        return np.asarray(rounded, np.uint16)
    return values.astype(np.uint16)


class LabelCount:
    """How often each label occurs, counted slab by slab."""

    def __init__(self) -> None:
        self._counts = np.zeros(1, dtype=np.int64)

    def add(self, labels: UInt[np.ndarray, "..."]) -> None:
        """Count one slab."""
        counts = np.bincount(labels.ravel(order="K"), minlength=self._counts.size)
        counts[: self._counts.size] += self._counts
        self._counts = counts

    def present(self) -> tuple[int, ...]:
        """Labels other than 0 that occur, ascending."""
        return tuple(int(label) for label in np.flatnonzero(self._counts) if label)

    def check_named(self, names: Mapping[int, str], file: str) -> None:
        """Raise ReadError if a label occurs that `names` does not contain."""
        unnamed = [label for label in self.present() if label not in names]
        if unnamed:
            listed = ", ".join(map(str, unnamed[:10])) + (", ..." if len(unnamed) > 10 else "")
            raise ReadError(
                file,
                f"voxels hold labels without a name: {listed}",
                "Name every label that occurs, or give the names table that belongs to the file.",
            )
