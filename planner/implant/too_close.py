"""Too close: what needles in place are too near to, and seeds that may have been found twice.

They are in place and are kept. Verification measures each distance again.
"""

from collections.abc import Iterator, Sequence
from math import dist

import numpy as np

from anatomy.scene import Scene
from anatomy.structures import Role
from planner.implant.needles.conflicts import Hardware, Needles, hardware_of, narrowest_gap, needles_between
from planner.measuring.clearance import Obstacles
from planner.records.needle_set import NeedleParts, TooNear
from planner.records.paths import Aim, Path
from planner.records.request.given import GivenSeed
from planner.records.request.request import Request


def too_near(scene: Scene, request: Request, paths: Sequence[Path]) -> tuple[TooNear, ...]:
    """Everything that the given needles among `paths` are too near to: structures by needle, then pairs of
    needles."""
    given_paths = tuple(path for path in paths if path.aim is Aim.GIVEN)
    structures = [near for path in given_paths for near in _structures(scene, request, path)]
    hardware = hardware_of(request.needle, request.pose, request.needle_set.clearance_mm)
    return (*structures, *_pairs(hardware, given_paths))


def close_seed_pairs(seeds: Sequence[GivenSeed], seed_mm: float) -> int:
    """How many pairs of seeds lie nearer to each other than a seed is long: `seed_mm`."""
    return sum(
        1
        for n, one in enumerate(seeds)
        for other in seeds[:n]
        if dist(one.position_mm, other.position_mm) < seed_mm
    )


def needles_of(paths: Sequence[Path]) -> Needles:
    """The paths as needles in place."""
    return needles_between(
        np.array([p.entry_mm for p in paths], float).reshape(-1, 3),
        np.array([p.tip_mm for p in paths], float).reshape(-1, 3),
    )


def _structures(scene: Scene, request: Request, path: Path) -> Iterator[TooNear]:
    """Every structure, inside or outside the body, that the needle's shaft is too near to, in the scene's
    order. Hubs are compared with other needles only."""
    grid, radius = scene.grid, request.needle.radius_mm
    tip_B = grid.to_box(np.array(path.tip_mm))
    end_B = tip_B - request.needle.max_length_mm * grid.vectors_to_box(np.array(path.direction))
    for structure in scene.of_role(Role.FORBIDDEN, Role.OUTSIDE):
        need = request.clearance_of(structure.name)
        distance, _ = Obstacles([structure], grid).nearest(tip_B, end_B, need + radius)
        if distance - radius < need:
            yield TooNear(path.id, structure.name, None, NeedleParts.NEEDLE, distance - radius, need)


def _pairs(hardware: Hardware, given_paths: Sequence[Path]) -> Iterator[TooNear]:
    """Every two given needles that conflict."""
    needles = needles_of(given_paths)
    for b, other in enumerate(given_paths):
        for a, path in enumerate(given_paths[:b]):
            gap = narrowest_gap(needles, hardware, a, b)
            if gap is not None:
                yield TooNear(path.id, None, other.id, gap.parts, gap.apart_mm, gap.need_mm)
