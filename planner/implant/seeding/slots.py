"""Slots: the places along needles where the centre of a seed can be.

tip |<----- span ----->|   |<-- span -->|
    x  x  x  x  x  x  x     x  x  x  x  x      slots at equal steps; the first is at the distal end of a span
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from anatomy.runtime.jit import jit
from planner.implant.needles.tracks import Tracks
from planner.records.request.seeds import SeedRequest

ROUNDING_MM = 1e-6


@dataclass(frozen=True)
class SeedSpacing:
    """The least distance of the centres of two seeds: on one track, and on any two tracks. [mm]"""

    same_track_mm: float
    any_track_mm: float


def seed_spacing(seeds: SeedRequest) -> SeedSpacing:
    """The spacing that a request asks for, or the length of its seeds if that is more, less rounding."""
    seed_mm = seeds.source.seed_length_mm
    return SeedSpacing(max(seeds.min_spacing_mm, seed_mm) - ROUNDING_MM, seed_mm - ROUNDING_MM)


@dataclass(frozen=True, eq=False)
class Slots:
    """n slots in B: row of the track, distance from its tip, centre, and axis from entry to tip. [mm]"""

    track: Int[np.ndarray, " n"]
    from_tip_mm: Float[np.ndarray, " n"]
    centre_B: Float[np.ndarray, "n 3"]
    axis_B: Float[np.ndarray, "n 3"]

    def __len__(self) -> int:
        return len(self.track)

    def take(self, rows: np.ndarray) -> "Slots":
        """Some of the slots, by index or mask."""
        return Slots(self.track[rows], self.from_tip_mm[rows], self.centre_B[rows], self.axis_B[rows])

    def clear_of(self, chosen: Bool[np.ndarray, " n"], apart: SeedSpacing) -> Bool[np.ndarray, " n"]:
        """Slots that are far enough from the chosen ones for one more seed."""
        free = ~chosen
        same2, any2 = apart.same_track_mm**2, apart.any_track_mm**2
        _shut(self.track, self.centre_B, np.flatnonzero(chosen), same2, any2, free)
        return free


@jit
def _shut(track, centre, seeds, same2, any2, free):  # type: ignore[no-untyped-def]
    """Clear `free` for slots that are too near to a seed. `same2` and `any2` are squared distances, on its
    track and on any track."""
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
