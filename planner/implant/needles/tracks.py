"""Tracks: from all safe lines through the PTV to the few hundred tracks that a needle set is chosen from.

            outward
    tip o===|-- span of the seeds' centres  --|===)......| entry
        s = 0                                             s = length

Around every place of the PTV, the cheapest lines whose entries are well apart are kept. A set needs tracks
from different sides, because neighbouring needles would touch, and only one from each side.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from anatomy.geometry.even_points import even_points_B
from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from planner.measuring.crossings import NeedleAxis, first_inside, mask_intervals
from planner.measuring.measure import Measurer
from planner.search.kernels.line import LENGTH, LUNG, PUNCTURES, TIP
from planner.search.search import SafeLines

PTV_PLACES = 160
"""Number of places of the PTV around which tracks are kept [U]."""
TRACKS_PER_PLACE = 12
"""Number of tracks kept around each place [U]."""
NEAR_MM = 3.0
"""A track belongs to a place if it passes within this distance [U]."""
ENTRIES_APART_MM = 12.0
"""Least distance between the entries of tracks around one place: hubs are 8 mm wide [U]."""
MAX_LINES = 40_000
"""If there are more lines, only the cheapest of each neighbourhood is used."""

Span = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Tracks:
    """n candidate needles in B: their lines, what each costs, and the spans in which the centres of seeds may
    be. [mm; spans in mm from the tip]"""

    tip_B: Float[np.ndarray, "n 3"]
    outward_B: Float[np.ndarray, "n 3"]
    length_mm: Float[np.ndarray, " n"]
    lung_mm: Float[np.ndarray, " n"]
    punctures: Int[np.ndarray, " n"]
    spans: tuple[tuple[Span, ...], ...]

    def __len__(self) -> int:
        return len(self.tip_B)

    def take(self, rows: Int[np.ndarray, " k"]) -> "Tracks":
        """Some of the tracks, in that order."""
        return Tracks(
            self.tip_B[rows],
            self.outward_B[rows],
            self.length_mm[rows],
            self.lung_mm[rows],
            self.punctures[rows],
            tuple(self.spans[row] for row in rows),
        )


def join_tracks(one: Tracks, two: Tracks) -> Tracks:
    """The tracks of both, in order."""
    return Tracks(
        np.concatenate([one.tip_B, two.tip_B]),
        np.concatenate([one.outward_B, two.outward_B]),
        np.concatenate([one.length_mm, two.length_mm]),
        np.concatenate([one.lung_mm, two.lung_mm]),
        np.concatenate([one.punctures, two.punctures]),
        one.spans + two.spans,
    )


def needle_cost_mm(lung_mm: np.ndarray, punctures: np.ndarray, puncture_cost_mm: float) -> np.ndarray:
    """Cost of needles in mm of lung; each puncture costs `puncture_cost_mm`."""
    return np.asarray(lung_mm + puncture_cost_mm * punctures)


def tracks_of(
    lines: SafeLines, aimed: VoxelMask, mask: VoxelMask, measurer: Measurer, grid: Grid, seed_mm: float
) -> Tracks:
    """Lines as tracks: their tips are at the distal edge of `aimed`, their spans are those of seeds of length
    `seed_mm` in the mask. Lines without a span are left out.

    Tips and lengths are measured again, because lines store them as float32. A line that measuring refuses is
    left out too.
    """
    candidates: list[tuple[int, Float[np.ndarray, 3], float, tuple[Span, ...]]] = []
    for n, (point_B, outward_B) in enumerate(zip(lines.point_B, lines.outward_B, strict=True)):
        tip_B = first_inside(aimed, grid.spacing_mm, point_B, outward_B)
        if tip_B is None:
            continue
        length = measurer.length_from(grid.to_patient(tip_B), grid.vectors_to_patient(outward_B))
        if length is None:
            continue
        spans = seed_spans(mask, grid, tip_B, outward_B, length, seed_mm)
        if spans:
            candidates.append((n, tip_B, length, spans))
    rows = np.array([n for n, *_ in candidates], int)
    return Tracks(
        np.array([tip_B for _, tip_B, _, _ in candidates], float).reshape(-1, 3),
        lines.outward_B[rows],
        np.array([length for _, _, length, _ in candidates], float),
        lines.quantities[rows, LUNG].astype(float),
        lines.quantities[rows, PUNCTURES].astype(int),
        tuple(spans for *_, spans in candidates),
    )


def seed_spans(
    mask: VoxelMask,
    grid: Grid,
    tip_B: Float[np.ndarray, "3"],
    outward_B: Float[np.ndarray, "3"],
    length_mm: float,
    seed_mm: float,
) -> tuple[Span, ...]:
    """Spans in which the centre of a seed of length `seed_mm` may be, so that the whole seed is in the mask
    and between tip and skin. [mm from the tip]"""
    axis = NeedleAxis(tip_B + length_mm * outward_B, -outward_B, length_mm)
    half = seed_mm / 2
    depths = mask_intervals(mask, grid.spacing_mm, axis)
    spans = [(length_mm - b + half, length_mm - a - half) for a, b in reversed(depths)]
    return tuple((a, b) for a, b in spans if b >= a)


def candidate_rows(
    lines: SafeLines, mask: VoxelMask, grid: Grid, puncture_cost_mm: float
) -> Int[np.ndarray, " k"]:
    """Rows of the cheapest lines around each place of the mask, in rising order."""
    cost = needle_cost_mm(lines.quantities[:, LUNG], lines.quantities[:, PUNCTURES], puncture_cost_mm)
    rows = _thinned(lines, cost)
    tip = (lines.point_B + lines.quantities[:, TIP, None] * lines.outward_B)[rows]
    outward = lines.outward_B[rows]
    entry = tip + lines.quantities[rows, LENGTH, None] * outward
    cost = cost[rows]
    chosen_rows: set[int] = set()
    for place in even_points_B(mask, grid, PTV_PLACES):
        towards = place - tip
        along = (towards * outward).sum(axis=1)
        across2 = (towards * towards).sum(axis=1) - along * along
        passing = np.flatnonzero((across2 < NEAR_MM * NEAR_MM) & (along > 0.0))
        chosen_rows.update(rows[_cheapest_apart(passing, cost, entry)].tolist())
    return np.array(sorted(chosen_rows), int)


def _cheapest_apart(candidates: np.ndarray, cost: np.ndarray, entry: np.ndarray) -> list[int]:
    """The cheapest candidates whose entries are ENTRIES_APART_MM apart."""
    remaining = candidates[np.argsort(cost[candidates], kind="stable")]
    chosen: list[int] = []
    while len(remaining) and len(chosen) < TRACKS_PER_PLACE:
        chosen.append(int(remaining[0]))
        apart_mm = np.linalg.norm(entry[remaining] - entry[remaining[0]], axis=1)
        remaining = remaining[apart_mm >= ENTRIES_APART_MM]
    return chosen


def _thinned(lines: SafeLines, cost: np.ndarray) -> Int[np.ndarray, " k"]:
    """All rows if there are few. Otherwise the cheapest of each neighbourhood, with neighbourhoods as small
    as possible."""
    rows = np.arange(len(lines))
    size_mm = 2.0
    while len(rows) > MAX_LINES:
        keys = (
            np.concatenate([lines.point_B / size_mm, lines.outward_B * (100.0 / size_mm)], axis=1)
            .round()
            .astype(np.int64)
        )
        order = np.lexsort((cost, *keys.T))
        first = np.ones(len(order), bool)
        first[1:] = (np.diff(keys[order], axis=0) != 0).any(axis=1)
        rows = np.sort(order[first])
        size_mm *= 1.5
    return rows


def reach_mm(tracks: Tracks, points_B: Float[np.ndarray, "m 3"]) -> Float[np.ndarray, "n m"]:
    """Distance from each point to the nearest place on each track where the centre of a seed may be. [mm]"""
    nearest = np.full((len(tracks), len(points_B)), np.inf)
    for n, spans in enumerate(tracks.spans):
        towards = points_B - tracks.tip_B[n]
        along = towards @ tracks.outward_B[n]
        across2 = np.maximum((towards * towards).sum(axis=1) - along * along, 0.0)
        for a, b in spans:
            beyond = along - np.clip(along, a, b)
            nearest[n] = np.minimum(nearest[n], np.sqrt(across2 + beyond * beyond))
    return nearest


def covered(reach: Float[np.ndarray, "n m"], radius_mm: float) -> Bool[np.ndarray, "n m"]:
    """Which points each track covers: those within the radius."""
    return np.asarray(reach <= radius_mm)
