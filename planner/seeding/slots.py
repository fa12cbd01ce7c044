"""Slots: the places along needles where a seed's centre may stand.

tip |<----- span ----->|   |<-- span -->|
    x  x  x  x  x  x  x     x  x  x  x  x      slots a step apart, the first of a span at its distal end
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from planner.kernels.jit import loop
from planner.needles.tracks import Tracks
from planner.request import SEED_LENGTH_MM

ROUNDING_MM = 1e-6


@dataclass(frozen=True, eq=False)
class Slots:
    """n slots in B: row of the track each is on, distance from its tip, centre, and axis from entry to
    tip."""

    track: Int[np.ndarray, " n"]
    from_tip_mm: Float[np.ndarray, " n"]
    centre_B: Float[np.ndarray, "n 3"]
    axis_B: Float[np.ndarray, "n 3"]

    def __len__(self) -> int:
        return len(self.track)

    def take(self, rows: np.ndarray) -> "Slots":
        """Some of the slots, by index or mask."""
        return Slots(self.track[rows], self.from_tip_mm[rows], self.centre_B[rows], self.axis_B[rows])

    @staticmethod
    def apart_mm(spacing_mm: float) -> tuple[float, float]:
        """How far apart seeds stand at least, less rounding: on one track, and on any two."""
        return max(spacing_mm, SEED_LENGTH_MM) - ROUNDING_MM, SEED_LENGTH_MM - ROUNDING_MM

    def clear_of(self, chosen: Bool[np.ndarray, " n"], spacing_mm: float) -> Bool[np.ndarray, " n"]:
        """Slots where one more seed may stand: none nearer than a seed's length to a chosen slot, nor nearer
        than `spacing_mm` on the same track."""
        same, any_track = self.apart_mm(spacing_mm)
        free = ~chosen
        _shut(self.track, self.centre_B, np.flatnonzero(chosen), same**2, any_track**2, free)
        return free


@loop
def _shut(track, centre, seeds, same2, any2, free):  # type: ignore[no-untyped-def]
    """Clear `free` of slots that are too near to a seed: squared distances on its track, and anywhere."""
    for row in range(len(track)):
        for seed in seeds:
            apart2 = 0.0
            for a in range(3):
                apart2 += (centre[row, a] - centre[seed, a]) ** 2
            if apart2 < any2 or (apart2 < same2 and track[row] == track[seed]):
                free[row] = False
                break


def slots_on(tracks: Tracks, step_mm: float) -> Slots:
    """All slots of the tracks, track by track, distal first."""
    rows: list[int] = []
    places: list[float] = []
    for row, spans in enumerate(tracks.spans):
        for a, b in spans:
            count = 1 + int((b - a) / step_mm + ROUNDING_MM)
            rows += [row] * count
            places += [a + n * step_mm for n in range(count)]
    track, s = np.array(rows, int), np.array(places, float)
    outward = tracks.outward_B[track]
    return Slots(track, s, tracks.tip_B[track] + s[:, None] * outward, -outward)
