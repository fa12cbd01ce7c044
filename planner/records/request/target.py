"""The target: what is treated."""

from dataclasses import dataclass
from typing import Annotated

from planner.records.bounds import Limit

MarginMm = Annotated[
    float, Limit(0.0, 30.0, "mm", "the source series used 5 mm; 30 mm already crosses the mediastinum")
]
MinChordMm = Annotated[float, Limit(0.0, 100.0, "mm", "null takes a seed's length, less for a small target")]


@dataclass(frozen=True)
class TargetRequest:
    """What is treated. Several structures are treated as one target, their union.

    An empty `structures` means: the structures whose role is target.
    """

    structures: tuple[str, ...] = ()
    margin_mm: MarginMm = 5.0
    """PTV = GTV + 5 mm (Dong 2021, 10.1111/1759-7714.13932)."""
    min_chord_mm: MinChordMm | None = None
    """How far the needle runs in the target at least: a track that grazes it misses it at the first error of
    the hand. None: a seed's length, or half the target's shortest side where that is less [U]."""
    cut_back: tuple[str, ...] = ()
    """Structures that the PTV leaves out: the margin does not reach into them."""
