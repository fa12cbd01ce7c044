"""Random chests, small enough to be planned in a second or two, each with a request.

Each number gives one chest, always the same. Grids are oblique or straight, voxels anisotropic, slices thick
or thin. Lungs lie in lobes with gaps between them, with specks of one in another, holes and islands outside.
Targets are balls, boxes, plates, a few voxels and two parts; roles, clearances, poses, needles, chords and
radii are drawn from what a request may ask for, round numbers and others."""

from types import MappingProxyType

import numpy as np
from box_scenes import grid_of, pose_P
from small_chests import Chest, Masks, ellipsoid, slab

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import MaskLayers
from anatomy.patient.pose import Position
from anatomy.scene import PoseInput, scene
from anatomy.structures import InputDigest, Role, Segmentation, Structure
from planner.records.request.needle import Needle
from planner.records.request.pose import PoseRequest
from planner.records.request.ranking import DEFAULT_RANKING
from planner.records.request.request import Request
from planner.records.request.search import SearchRequest
from planner.records.request.seeds import SeedRequest
from planner.records.request.target import TargetRequest

RANKINGS = (
    DEFAULT_RANKING,
    ("lung_length_mm", "length_mm"),
    ("clearance_mm", "lung_length_mm"),
    ("pleural_punctures", "fissures_crossed", "target_chord_mm"),
    ("off_axial_angle_deg", "lung_length_mm"),
)
TARGETS = ("ball", "ball", "box", "plate", "few", "two")
FORBIDDEN = ("heart", "trachea", "aorta", "vertebrae_T6", "rib_left_4", "esophagus")


LEAST_VOXELS = 4
"""Smaller targets are refused."""


def random_chest(number: int) -> Chest:
    """The chest of this number, and a request for paths only."""
    rng = np.random.default_rng([12, number])
    grid = _grid(rng)
    middle = 0.5 * (np.array(grid.shape) - 1) * grid.spacing_mm
    masks = _masks(rng, grid, middle)
    request = _request(rng, sorted(masks))
    layers = MaskLayers(grid.shape)
    parts = tuple(Structure(name, layers.add(name, mask), role) for name, (role, mask) in masks.items())
    pose = request.pose
    pose_input = PoseInput(pose.position, pose.rotation_deg, pose.table, pose.bore_diameter_mm)
    segmentation = Segmentation(grid, parts, (InputDigest("labels.nii.gz", "5e" * 32),))
    return Chest(scene(segmentation, request.target.structures, request.roles, pose_input), request)


def _grid(rng: np.random.Generator) -> Grid:
    spacing = rng.choice([1.0, 1.3, 1.5, 2.0, 2.4, 3.0, 5.0], 3)
    if rng.random() < 0.5:
        spacing = rng.uniform(0.9, 4.0, 3).round(int(rng.integers(1, 6)))
    wide_mm = rng.uniform(44.0, 76.0, 3)
    shape = tuple(int(n) for n in np.clip(wide_mm / spacing, 8, 48))
    motion = np.eye(4)
    if rng.random() < 0.6:
        motion = pose_P(tuple(rng.uniform(-180.0, 180.0, 3)), tuple(rng.uniform(-200.0, 200.0, 3)))
    if rng.random() < 0.3:
        motion = motion @ np.diag([1.0, 1.0, -1.0, 1.0])
    return grid_of((shape[0], shape[1], shape[2]), tuple(spacing), motion)


def _masks(rng: np.random.Generator, grid: Grid, middle: np.ndarray) -> Masks:
    half_axes = middle * rng.uniform(0.75, 1.25, 3)
    body = ellipsoid(grid, middle, half_axes)
    target_centre = middle + rng.uniform(-0.3, 0.3, 3) * half_axes
    target = _target(rng, grid, target_centre) & body
    if np.count_nonzero(target) < LEAST_VOXELS:
        target = _few_voxels(grid, middle)
    inside = body & ~target
    masks: dict[str, tuple[Role | None, np.ndarray]] = {"body": (Role.SKIN, body)}
    masks.update(_lungs(rng, grid, middle, half_axes, inside))
    for name in rng.permutation(FORBIDDEN)[: rng.integers(1, 6)].tolist():
        offset_mm = rng.normal(size=3)
        offset_mm *= rng.uniform(6.0, 24.0) / np.linalg.norm(offset_mm)
        radii = rng.uniform(1.5, 6.0, 3)
        radii[rng.integers(3)] *= rng.choice([1.0, 6.0])
        organ = ellipsoid(grid, target_centre + offset_mm, radii) & inside
        if organ.any():
            masks[name] = (None, organ)
    if rng.random() < 0.3:
        masks["mystery_organ"] = (None, _random_voxels(rng, inside, 3))
    if rng.random() < 0.3:
        masks["pleural_effusion"] = (
            Role.PASSABLE,
            ellipsoid(grid, target_centre + rng.uniform(-15, 15, 3), (6, 6, 6)),
        )
    if rng.random() < 0.3:
        low = middle + np.array([-1.0, 1.1, -1.0]) * half_axes
        masks["vacuum_cushion"] = (None, slab(grid, low, low + 2.0 * half_axes) & ~body)
    masks["node"] = (Role.TARGET, target)
    return {name: (role, mask) for name, (role, mask) in masks.items() if mask.any()}


def _target(rng: np.random.Generator, grid: Grid, centre: np.ndarray) -> np.ndarray:
    kind = TARGETS[rng.integers(len(TARGETS))]
    if kind == "box":
        return slab(grid, centre - rng.uniform(1.0, 5.0, 3), centre + rng.uniform(1.0, 5.0, 3))
    if kind == "plate":
        half_mm = rng.uniform(4.0, 8.0, 3)
        half_mm[rng.integers(3)] = 1.0
        return slab(grid, centre - half_mm, centre + half_mm)
    if kind == "few":
        return _few_voxels(grid, centre)
    ball = ellipsoid(grid, centre, rng.uniform(3.0, 7.0, 3))
    second_ball = ellipsoid(grid, centre + rng.uniform(-9.0, 9.0, 3), rng.uniform(2.5, 4.0, 3))
    return ball | second_ball if kind == "two" else ball


def _few_voxels(grid: Grid, at_B: np.ndarray) -> np.ndarray:
    """The smallest number of voxels that a target may have."""
    mask = np.zeros(grid.shape, bool)
    i, j, k = np.round(at_B / grid.spacing_mm).astype(int)
    mask[i : i + 2, j : j + 2, k] = True
    return mask


def _random_voxels(rng: np.random.Generator, mask: np.ndarray, count: int) -> np.ndarray:
    """A few single voxels of the mask, anywhere."""
    voxels = np.argwhere(mask)
    chosen = np.zeros(mask.shape, bool)
    chosen[tuple(voxels[rng.integers(len(voxels), size=count)].T)] = True
    return chosen


def _lungs(
    rng: np.random.Generator, grid: Grid, middle: np.ndarray, half: np.ndarray, inside: np.ndarray
) -> Masks:
    """Lobes beside or about the target, cut by a fissure with or without a gap; specks, holes and islands."""
    if rng.random() < 0.15:
        return {}
    shell = ellipsoid(grid, middle, half * rng.uniform(0.7, 0.9)) & inside
    if rng.random() < 0.5:
        shell &= ~ellipsoid(grid, middle, half * rng.uniform(0.2, 0.5))
    z = np.arange(grid.shape[2]) * grid.spacing_mm[2] - middle[2] - rng.uniform(-8.0, 8.0)
    y = np.arange(grid.shape[1]) * grid.spacing_mm[1] - middle[1]
    height = z[None, None, :] + rng.uniform(-1.0, 1.0) * y[None, :, None]
    gap = rng.choice([0.0, 0.0, 2.0, 6.0])
    upper, lower = shell & (height > 0.5 * gap), shell & (height <= -0.5 * gap)
    if rng.random() < 0.6:
        specks = _random_voxels(rng, inside, int(rng.integers(1, 40)))
        upper, lower = upper | (specks & ~lower), lower & ~specks
    if rng.random() < 0.4:
        holes = _random_voxels(rng, inside, int(rng.integers(1, 40)))
        upper, lower = upper & ~holes, lower & ~holes
    lungs = {"lung_upper_lobe_left": (Role.LUNG, upper), "lung_lower_lobe_left": (Role.LUNG, lower)}
    if rng.random() < 0.3:
        overlapping = shell & ellipsoid(grid, middle + rng.uniform(-12.0, 12.0, 3), (9.0, 9.0, 9.0))
        lungs["lung_left"] = (Role.LUNG, overlapping)
    return lungs


def _request(rng: np.random.Generator, names: list[str]) -> Request:
    def number(low: float, high: float, digits: int = 2) -> float:
        """Mostly of few digits, as people write them."""
        drawn = float(rng.uniform(low, high))
        return drawn if rng.random() < 0.1 else round(drawn, digits)

    def one_of(*values: float) -> float:
        return float(rng.choice(values))

    clearances = {"default": one_of(0.0, 1.0, 2.0, 3.0, 9.0)}
    for name in names:
        if name != "node" and rng.random() < 0.25:
            clearances[name] = number(0.0, 4.0)
    role = str(rng.choice(["passable", "lung", "forbidden"]))
    roles = {"mystery_organ": role} if rng.random() < 0.5 and "mystery_organ" in names else {}
    hub = {"hub_length_mm": one_of(0.0, 12.0, 30.0), "hub_diameter_mm": number(0.0, 10.0)}
    cushioned = "vacuum_cushion" in names and rng.random() < 0.5
    weighted = rng.random() < 0.15
    return Request(
        target=TargetRequest(
            structures=("node",) if rng.random() < 0.5 else (),
            margin_mm=number(0.0, float(rng.choice([3.0, 6.0, 15.0])), 1),
            min_chord_mm=None if rng.random() < 0.5 else number(0.0, float(rng.choice([3.0, 15.0])), 1),
        ),
        needle=Needle(outer_diameter_mm=number(0.2, 3.0), max_length_mm=number(20.0, 150.0, 1)),
        clearance_mm=MappingProxyType(clearances),
        roles=MappingProxyType(roles),
        pose=PoseRequest(
            position=list(Position)[rng.integers(len(Position))],
            rotation_deg=0.0 if rng.random() < 0.5 else number(-60.0, 60.0, 14),
            table="vacuum_cushion" if cushioned else "derive",
            bore_diameter_mm=one_of(300.0, 400.0, 700.0, 2000.0),
            **hub,
        ),
        search=SearchRequest(
            max_paths=int(rng.choice([1, 2, 5, 11])),
            covering_radius_mm=one_of(1.5, 2.0, 3.0, 4.0),
            min_separation_mm=one_of(0.0, 3.0, 10.0, 200.0),
            field_resolution_mm=one_of(1.0, 2.0, 4.0),
        ),
        ranking=RANKINGS[rng.integers(len(RANKINGS))],
        weights=MappingProxyType({"lung_length_mm": 1.0, "pleural_punctures": 8.5} if weighted else {}),
        seeds=SeedRequest(spacing_mm=number(5.0, 12.0, 1)),
    )
