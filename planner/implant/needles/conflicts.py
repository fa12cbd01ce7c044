"""Conflicts: pairs of needles that cannot both be in place.

Two shafts conflict if their walls are nearer than the clearance. Two hubs, or a hub and the shaft of another
needle, conflict if they overlap. Hubs are capsules (see the package): two hubs that lie end to end are kept a
hub's diameter farther apart than cylinders would need.
"""

from dataclasses import dataclass
from math import sqrt

import networkx as nx
import numpy as np
from jaxtyping import Bool, Float, Int

from anatomy.runtime.parallel import parallel_for
from planner.implant.needles.pair_kernel import Sizes, clash, clash_range, stretch_distance2
from planner.records.needle_set import NeedleParts
from planner.records.request.needle import Needle
from planner.records.request.needle_set import NeedleSetRequest
from planner.records.request.pose import PoseRequest

ROUNDING_MM = 1e-7
"""Parts that are too near by less than this are accepted, so that rounding never decides on needles exactly
as far apart as they must be. A tenth of the tolerance of verification."""


@dataclass(frozen=True, eq=False)
class Needles:
    """n needles in place: tips, unit vectors from tip to entry, and lengths from tip to skin."""

    tip_P: Float[np.ndarray, "n 3"]
    outward_P: Float[np.ndarray, "n 3"]
    length_mm: Float[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.tip_P)

    def of(self, rows: Int[np.ndarray, " k"]) -> "Needles":
        """Some of the needles, in that order."""
        return Needles(self.tip_P[rows], self.outward_P[rows], self.length_mm[rows])


def needles_between(entry_P: Float[np.ndarray, "n 3"], tip_P: Float[np.ndarray, "n 3"]) -> Needles:
    """Needles from their entries and tips. [mm]

    Raises ValueError where an entry is its tip, or not finite.
    """
    along = entry_P - tip_P
    length = np.linalg.norm(along, axis=1)
    usable = np.isfinite(length) & (length > 0.0)
    if not usable.all():
        row = int(np.argmin(usable))
        raise ValueError(f"needle {row}: no direction from tip {tip_P[row]} to entry {entry_P[row]}")
    return Needles(np.asarray(tip_P, float), along / length[:, None], length)


@dataclass(frozen=True)
class Hardware:
    """The dimensions of every needle: a shaft, and beyond its length a hub, or none where `hub_length_mm` is
    0.0.

    `needle_clearance_mm` is the free distance that the walls of two shafts keep.
    """

    needle_length_mm: float
    needle_radius_mm: float
    hub_length_mm: float
    hub_radius_mm: float
    needle_clearance_mm: float = NeedleSetRequest.clearance_mm

    @property
    def sizes(self) -> Sizes:
        """The sizes as compiled loops take them."""
        return Sizes(
            self.needle_length_mm,
            self.hub_length_mm,
            2.0 * self.needle_radius_mm + self.needle_clearance_mm - ROUNDING_MM,
            2.0 * self.hub_radius_mm - ROUNDING_MM,
            self.hub_radius_mm + self.needle_radius_mm - ROUNDING_MM,
        )


def hardware_of(
    needle: Needle, pose: PoseRequest, needle_clearance_mm: float = NeedleSetRequest.clearance_mm
) -> Hardware:
    """The needle and hub that a request names, and the clearance between shafts given here. [mm]"""
    return Hardware(
        needle.max_length_mm,
        needle.radius_mm,
        pose.hub_length_mm,
        pose.hub_radius_mm(needle),
        needle_clearance_mm,
    )


def clashes(
    needles: Needles, hardware: Hardware, travel_mm: Float[np.ndarray, " n"]
) -> Bool[np.ndarray, "n n"]:
    """Whether needle i, swept outward by its travel, comes too near needle j in place (n, n)."""
    clashing = np.zeros((len(needles), len(needles)), bool)
    rows = (needles.tip_P, needles.outward_P, travel_mm, hardware.sizes)
    parallel_for(lambda first, last: clash_range(*rows, clashing, first, last), len(needles))
    return clashing


def conflict_pairs(needles: Needles, hardware: Hardware) -> Int[np.ndarray, "k 2"]:
    """Pairs i < j that cannot both be in place, in rising order."""
    return np.argwhere(np.triu(clashes(needles, hardware, np.zeros(len(needles)))))


def conflict_graph(pairs: Int[np.ndarray, "k 2"], n: int) -> nx.Graph:
    """The graph of needles 0 to n - 1 whose edges are the pairs. Needles that can be together are an
    independent set."""
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(pairs.tolist())
    return graph


@dataclass(frozen=True)
class NarrowGap:
    """Parts of two needles that are too near: the free distance between their walls, and the one they need.
    [mm]"""

    parts: NeedleParts
    apart_mm: float
    need_mm: float


def narrowest_gap(needles: Needles, hardware: Hardware, i: int, j: int) -> NarrowGap | None:
    """The parts of two needles in conflict that are too near by the largest amount, needle i's part first.
    None where the needles do not conflict."""
    one, two = (needles.tip_P[i], needles.outward_P[i]), (needles.tip_P[j], needles.outward_P[j])
    if not clash(*one, 0.0, *two, hardware.sizes):
        return None
    end, thin, thick = hardware.needle_length_mm, hardware.needle_radius_mm, hardware.hub_radius_mm
    shaft, hub = (0.0, end), (end, end + hardware.hub_length_mm)
    walls = [(NeedleParts.SHAFTS, shaft, shaft, 2.0 * thin, hardware.needle_clearance_mm)]
    if hardware.hub_length_mm > 0.0:
        walls.append((NeedleParts.HUBS, hub, hub, 2.0 * thick, 0.0))
        walls.append((NeedleParts.HUB_AND_SHAFT, hub, shaft, thick + thin, 0.0))
        walls.append((NeedleParts.SHAFT_AND_HUB, shaft, hub, thin + thick, 0.0))
    gaps = [
        NarrowGap(parts, sqrt(stretch_distance2(*one, *a, *two, *b)) - radii, need)
        for parts, a, b, radii, need in walls
    ]
    return min(gaps, key=lambda gap: gap.apart_mm - gap.need_mm)
