"""Small chests, quick to search, and lines through them: a body some 50 mm wide, a node, lobes, organs.

Each has some features of a large one: oblique and anisotropic voxels, a body that the edge of the field
of view cuts, a fold of skin that a needle could enter twice, an arm, a table, a bore that some hubs reach.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

import numpy as np
from box_scenes import box_mask, grid_of, pose_P

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import MaskLayers
from anatomy.patient.pose import Position
from anatomy.scene import PoseInput, Scene, scene
from anatomy.structures import InputDigest, Role, Segmentation, Structure
from planner.records.request.needle import Needle
from planner.records.request.pose import PoseRequest
from planner.records.request.request import Request
from planner.records.request.target import TargetRequest
from planner.search.kernels.line import LENGTH, TIP
from planner.search.search import SafeLines

Masks = Mapping[str, tuple[Role | None, np.ndarray]]

MIDDLE_B = np.array([31.0, 29.0, 27.0])
"""The body's middle. [mm]"""
HALF_B = np.array([25.0, 22.0, 23.0])
"""The body's half axes. [mm]"""


@dataclass(frozen=True, eq=False)
class Chest:
    """A scene and a request for it."""

    scene: Scene
    request: Request


def posed(grid: Grid, masks: Masks, request: Request) -> Chest:
    """The scene of these masks, posed as the request says. Without a role, the name implies one."""
    layers = MaskLayers(grid.shape)
    parts = tuple(Structure(name, layers.add(name, mask), role) for name, (role, mask) in masks.items())
    pose = request.pose
    pose_input = PoseInput(pose.position, pose.rotation_deg, pose.table, pose.bore_diameter_mm)
    inputs = (InputDigest("labels.nii.gz", "5e" * 32),)
    return Chest(scene(Segmentation(grid, parts, inputs), pose=pose_input), request)


def masks_of(chest: Chest) -> dict[str, tuple[Role | None, np.ndarray]]:
    """The chest's masks, as a start for another chest."""
    return {s.name: (s.role, s.mask.layer == s.mask.label) for s in chest.scene.structures}


def without_table(chest: Chest) -> Chest:
    """The chest with nothing below it."""
    return Chest(replace(chest.scene, pose=replace(chest.scene.pose, table=None)), chest.request)


def with_structure(chest: Chest, name: str, role: Role, mask: np.ndarray) -> Chest:
    """The chest with one more structure; body and pose stay as they are."""
    added = Structure(name, MaskLayers(chest.scene.grid.shape).add(name, mask), role)
    return Chest(replace(chest.scene, structures=(*chest.scene.structures, added)), chest.request)


def ellipsoid(grid: Grid, middle_B, half_B) -> np.ndarray:
    """The voxels whose centres lie in an ellipsoid along the grid's axes. [mm]"""
    x, y, z = (
        ((np.arange(n) * h - m) / r) ** 2
        for n, h, m, r in zip(grid.shape, grid.spacing_mm, middle_B, half_B, strict=True)
    )
    return np.asarray(x[:, None, None] + y[None, :, None] + z[None, None, :] <= 1.0)


def slab(grid: Grid, low_B, high_B) -> np.ndarray:
    """The voxels whose centres lie in a box. [mm]"""
    first = np.ceil(np.array(low_B) / grid.spacing_mm).astype(int)
    last = np.floor(np.array(high_B) / grid.spacing_mm).astype(int) + 1
    return box_mask(grid.shape, (tuple(first), tuple(last)))


def organs(grid: Grid, seed: int, wrapped: bool = False) -> dict[str, tuple[Role | None, np.ndarray]]:
    """A body with a node in it, and organs that leave some paths to the node open. A lung may wrap them all,
    so that hardly any path avoids lung."""
    rng = np.random.default_rng(seed)
    body = ellipsoid(grid, MIDDLE_B, HALF_B)
    node_centre = MIDDLE_B + rng.uniform(-4.0, 4.0, 3)
    node = ellipsoid(grid, node_centre, rng.uniform(3.5, 5.0, 3))
    offset_mm = rng.normal(size=(2, 3))
    offset_mm *= rng.uniform(11.0, 14.0, (2, 1)) / np.linalg.norm(offset_mm, axis=1)[:, None]
    heart = ellipsoid(grid, node_centre + offset_mm[0], rng.uniform(4.0, 7.0, 3))
    trachea = ellipsoid(grid, node_centre + offset_mm[1], rng.uniform(2.5, 4.0, 3))
    upper = ellipsoid(grid, np.add(MIDDLE_B, (11, 2, 7)), (9, 14, 9))
    lower = ellipsoid(grid, np.add(MIDDLE_B, (11, 2, -9)), (9, 14, 8))
    aorta = ellipsoid(grid, np.add(MIDDLE_B, (-9, 6, 0)), (2.5, 2.5, 40))
    right = (
        ellipsoid(grid, MIDDLE_B, HALF_B - 4.0)
        & ~ellipsoid(grid, node_centre, (11, 12, 13))
        & ~upper
        & ~lower
    )
    inside = body & ~node
    return {
        "body": (Role.SKIN, body),
        "lung_upper_lobe_left": (Role.LUNG, inside & upper),
        **({"lung_upper_lobe_right": (Role.LUNG, inside & right)} if wrapped else {}),
        "lung_lower_lobe_left": (Role.LUNG, inside & lower & ~upper),
        "heart": (Role.FORBIDDEN, inside & heart),
        "trachea": (Role.FORBIDDEN, inside & trachea),
        "aorta": (Role.FORBIDDEN, inside & aorta),
        "vertebrae": (Role.FORBIDDEN, inside & slab(grid, (27, 41, 0), (35, 60, 60))),
        "node": (Role.TARGET, node),
    }


def request_of(length: float = 60.0, hub: float = 12.0, **pose) -> Request:
    """A request for a short needle, with three different clearances and a least chord in the target."""
    return Request(
        target=TargetRequest(min_chord_mm=2.5),
        needle=Needle(max_length_mm=length),
        clearance_mm=MappingProxyType({"default": 1.0, "heart": 2.0, "trachea": 0.4}),
        pose=PoseRequest(hub_length_mm=hub, hub_diameter_mm=6.0, **pose),
    )


def axis_aligned_chest() -> Chest:
    """Axes along the patient's, a table derived below the patient, a bore that some hubs reach; thin slices,
    of which the last cuts the body."""
    grid = grid_of((31, 30, 34), (2.0, 2.0, 1.3))
    return posed(grid, organs(grid, 1), request_of(bore_diameter_mm=120.0))


def oblique_chest() -> Chest:
    """Turned about all axes, left-handed, far from the origin; an arm beside the body, a table below."""
    motion = pose_P((25.0, -35.0, 50.0), (140.0, -80.0, 300.0)) @ np.diag([1.0, 1.0, -1.0, 1.0])
    grid = grid_of((37, 26, 30), (1.7, 2.3, 1.9), motion)
    masks = organs(grid, 2, wrapped=True)
    masks["arm"] = (Role.OUTSIDE, slab(grid, (58, 15, 10), (63, 25, 45)))
    masks["table"] = (Role.OUTSIDE, slab(grid, (5, 55, 0), (60, 60, 60)))
    return posed(grid, masks, request_of())


def cut_chest() -> Chest:
    """Thick slices; the field of view cuts the body above and below, and a bone that goes on beyond it."""
    grid = grid_of((44, 41, 8), (1.4, 1.4, 5.0), pose_P((0, 0, 0), (0.0, 0.0, -9.0)))
    masks = organs(grid, 3, wrapped=True)
    bone = slab(grid, (28, 8, 25), (34, 10, 60)) & masks["body"][1]
    return posed(grid, {**masks, "sternum": (Role.FORBIDDEN, bone)}, request_of(position=Position.PRONE))


def folded_chest() -> Chest:
    """A fold of skin in front; a needle barely longer than the distance to the skin, without a hub, and an
    arm so near that it blocks needles which are not inserted as deep as others."""
    grid = grid_of((26, 31, 28), (2.4, 1.9, 2.0), pose_P((-30.0, 12.0, 5.0), (4.0, 0.0, -8.0)))
    groove = slab(grid, (25, 13, 0), (70, 18, 60))
    masks = {n: (role, mask & ~groove) for n, (role, mask) in organs(grid, 4, wrapped=True).items()}
    masks["arm"] = (Role.OUTSIDE, slab(grid, (0, 0, 10), (62, 4, 45)))
    pose = {"position": Position.LEFT_LATERAL, "rotation_deg": 20.0}
    return posed(grid, masks, request_of(length=24.0, hub=0.0, **pose))


CHESTS = {"plain": axis_aligned_chest, "oblique": oblique_chest, "cut": cut_chest, "folded": folded_chest}


@cache
def small_chest(name: str) -> Chest:
    """The chest of this name, the same for all tests."""
    return CHESTS[name]()


@dataclass(frozen=True, eq=False)
class Lines:
    """n lines: a point on each and its outward unit vector, in B."""

    point: np.ndarray
    outward: np.ndarray

    def __len__(self) -> int:
        return len(self.point)

    def take(self, chosen: np.ndarray) -> "Lines":
        return Lines(self.point[chosen], self.outward[chosen])


def unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def concatenated(parts: list[Lines]) -> Lines:
    """All lines of the parts, in order."""
    return Lines(np.concatenate([p.point for p in parts]), np.concatenate([p.outward for p in parts]))


def select_lines(use_one: np.ndarray, one: Lines, other: Lines) -> Lines:
    """For each line, the one of `one` or the one of `other`."""
    from_one = use_one[:, None]
    return Lines(np.where(from_one, one.point, other.point), np.where(from_one, one.outward, other.outward))


def random_lines(chest: Chest, count: int, seed: int) -> Lines:
    """Lines through points all over the target, in all directions."""
    rng = np.random.default_rng(seed)
    target, spacing = chest.scene.target, chest.scene.grid.spacing_mm
    voxels = np.argwhere(target.cropped()) + target.lower
    point = (voxels[rng.integers(len(voxels), size=count)] + rng.uniform(-0.5, 0.5, (count, 3))) * spacing
    return Lines(point, unit(rng.normal(size=(count, 3))))


def perturbed(lines: Lines, by_mm: float, seed: int) -> Lines:
    """Each line moved by about `by_mm` at its point and 30 mm farther along."""
    rng = np.random.default_rng(seed)
    point = lines.point + by_mm * rng.normal(size=lines.point.shape)
    point_ahead = lines.point + 30.0 * lines.outward + by_mm * rng.normal(size=lines.point.shape)
    return Lines(point, unit(point_ahead - point))


@dataclass(frozen=True, eq=False)
class Needles:
    """Paths from tip to skin, in B."""

    tip: np.ndarray
    entry: np.ndarray

    def __len__(self) -> int:
        return len(self.tip)

    def take(self, chosen: np.ndarray) -> "Needles":
        return Needles(self.tip[chosen], self.entry[chosen])


def needles_of(lines: SafeLines) -> Needles:
    """The paths of the lines that the search found."""
    tip = lines.point_B + lines.quantities[:, TIP, None] * lines.outward_B
    return Needles(tip, tip + lines.quantities[:, LENGTH, None] * lines.outward_B)


def from_lines(points: np.ndarray, line_points: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Distance of points from lines, shapes (..., 3). [mm]"""
    offset_mm = points - line_points
    return np.linalg.norm(
        offset_mm - (offset_mm * directions).sum(axis=-1, keepdims=True) * directions, axis=-1
    )


def to_nearest(needles: Needles, net: SafeLines, radius_mm: float) -> np.ndarray:
    """Distance of each needle from the nearest line of the net: the largest one between tip and skin of
    either, which is at an end. Infinite where it is certainly above `radius_mm`. [mm]"""
    net_needles = needles_of(net)
    distance_mm = np.full(len(needles), np.inf)
    for n in range(len(needles)):
        tip, entry = needles.tip[n], needles.entry[n]
        direction = unit(entry - tip)
        # Lines that keep the radius over a length turn by no more than the radius at each of its ends.
        turn = np.arcsin(min(1.0, 2.0 * radius_mm / np.linalg.norm(entry - tip)))
        similar = np.flatnonzero(net.outward_B @ direction >= np.cos(turn) - 1e-9)
        points, outward = net.point_B[similar], net.outward_B[similar]
        ends = [
            from_lines(tip, points, outward),
            from_lines(entry, points, outward),
            from_lines(net_needles.tip[similar], tip, direction),
            from_lines(net_needles.entry[similar], tip, direction),
        ]
        distance_mm[n] = np.maximum.reduce(ends).min(initial=np.inf)
    return distance_mm
