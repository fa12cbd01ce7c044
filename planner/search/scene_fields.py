"""Search fields of a scene: what the compiled loops of the search read. Flat arrays in B, one set a request.

The original voxels (`need_class`, `tissue`, `target`) decide; the distance fields only give fast lower and
upper bounds of distances to them. No result depends on a field's resolution, only the speed does.

    need_class   0 free, c > 0: a needle's axis must keep needs_mm[c] from this voxel's box
    tissue       0 air, 1 body, 2 a void that lung encloses, 3 + i: lung structure i, outside the target
obstacle     signed distance to the obstacles dilated by their needs: min over classes of (distance - need)
    screen       lower bounds of `obstacle` over tiles, small and fast
    body         signed distance to the body's boxes, positive outside
    near_target  signed distance to the target's boxes, over the target's surroundings
"""

import numpy as np

from anatomy.geometry.distance_field import FieldNodes, field_nodes_over, signed_distance
from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from anatomy.scene import Scene
from anatomy.structures import Role
from planner.measuring.tissue_codes import LUNG, VOID
from planner.records.defaults import least_chord_mm
from planner.records.request.clearances import Clearances
from planner.records.request.request import Request
from planner.records.search import TABLE
from planner.search.kernels.screen import screen
from planner.search.kernels.search_fields import SearchFields, vector3

BODY_FIELD_STEP_MM = 2.0
"""The body's field is only used for speed; twice the default step needs an eighth of the memory."""
TARGET_PADDING_MM = 20.0
"""Extent of the target's own field around the target. Beyond it, the distance to that region is used
instead."""


def target_corners_B(fields: SearchFields) -> np.ndarray:
    """Corners (n, 3) of the target's voxel boxes: the target is inside their convex hull. [mm, B]"""
    index = np.argwhere(fields.target) + np.array(fields.target_first_V)
    sides = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    corners = np.unique((index[:, None] + sides).reshape(-1, 3), axis=0)
    return np.asarray((corners - 0.5) * np.array(fields.spacing))


def search_fields(scene: Scene, request: Request) -> SearchFields:
    """Build the arrays and distance fields that a search of `scene` under `request` needs."""
    grid = scene.grid
    need_class, needs = _needs(scene, request.clearances)
    everywhere = field_nodes_over(grid.lower_B, grid.upper_B, request.search.field_resolution_mm)
    coarse = field_nodes_over(
        grid.lower_B, grid.upper_B, max(BODY_FIELD_STEP_MM, request.search.field_resolution_mm)
    )
    step = vector3(everywhere.step_mm)
    obstacle = _obstacle_field(scene, need_class, needs, everywhere)
    body = scene.body.layer == scene.body.label
    target_distance, target_lattice = _near_target_field(
        grid, scene.target, request.search.field_resolution_mm
    )
    table = scene.pose.table
    bore = scene.pose.bore
    normal = np.zeros(3) if table is None else grid.vectors_to_box(table.normal_P)
    # The plane n.p = t in P reads n_B.p_B = t - n.origin in B.
    offset = np.inf if table is None else table.offset_mm - float(table.normal_P @ grid.origin_P)
    return SearchFields(
        spacing=vector3(grid.spacing_mm),
        lower=vector3(grid.lower_B),
        upper=vector3(grid.upper_B),
        need_class=need_class,
        needs_mm=needs,
        tissue=_tissue(scene, body),
        target=scene.target.cropped().astype(np.uint8),
        target_first_V=scene.target.lower,
        min_chord=least_chord_mm(scene, request.target, request.seeds.source.seed_length_mm),
        obstacle=obstacle,
        obstacle_step=step,
        screen=screen(obstacle, step),
        body=signed_distance(body, grid.spacing_mm, coarse),
        body_step=vector3(coarse.step_mm),
        near_target=target_distance,
        near_target_lower=vector3(target_lattice.lower_B),
        near_target_step=vector3(target_lattice.step_mm),
        table_normal=vector3(normal),
        table_offset=float(offset),
        table_need=request.need_mm(TABLE),
        bore_centre=vector3(grid.to_box(bore.centre_P)),
        bore_axis=vector3(grid.vectors_to_box(bore.axis_P)),
        bore_radius=bore.radius_mm,
        needle_length=request.needle.max_length_mm,
        hub_length=request.pose.hub_length_mm,
        hub_radius=request.hub_radius_mm,
        hub_extra=request.hub_radius_mm - request.needle.radius_mm,
    )


def with_target(fields: SearchFields, mask: VoxelMask, grid: Grid, resolution_mm: float) -> SearchFields:
    """The same fields with another target: tips then lie at its distal edge.

    Lung stays the same: no lung is counted inside the original target.
    """
    field, nodes = _near_target_field(grid, mask, resolution_mm)
    return fields._replace(
        target=mask.cropped().astype(np.uint8),
        target_first_V=mask.lower,
        near_target=field,
        near_target_lower=vector3(nodes.lower_B),
        near_target_step=vector3(nodes.step_mm),
    )


def _needs(scene: Scene, clearances: Clearances) -> tuple[np.ndarray, np.ndarray]:
    """The class of every blocked voxel, and the need of each class. Where structures overlap, the larger need
    counts."""
    blocked = scene.of_role(Role.FORBIDDEN, Role.OUTSIDE)
    needs = sorted({clearances.need_mm(s.name) for s in blocked})
    classes = np.zeros(scene.grid.shape, np.uint8)
    for s in sorted(blocked, key=lambda s: clearances.need_mm(s.name)):
        s.mask.paint(classes, 1 + needs.index(clearances.need_mm(s.name)))
    return classes, np.array([0.0, *needs])


def _tissue(scene: Scene, body: np.ndarray) -> np.ndarray:
    tissue = body.astype(np.uint8)
    for index, lung in enumerate(scene.of_role(Role.LUNG)):
        lung.mask.paint(tissue, LUNG + index)
    scene.target.paint(tissue, 1)
    if scene.lung_voids is not None:
        scene.lung_voids.paint(tissue, VOID)
    tissue[~body] = 0
    return tissue


def _obstacle_field(scene: Scene, classes: np.ndarray, needs: np.ndarray, nodes: FieldNodes) -> np.ndarray:
    """Minimum over classes of (signed distance - need), rounded down. [QUANTUM_MM]"""
    from anatomy.geometry.distance_field import QUANTUM_MM

    merged: np.ndarray | None = None
    for c in range(1, len(needs)):
        field = signed_distance(classes == c, scene.grid.spacing_mm, nodes)
        field -= np.int16(np.ceil(needs[c] / QUANTUM_MM))
        merged = field if merged is None else np.minimum(merged, field, out=merged)
    return np.full(nodes.shape, 32_000, np.int16) if merged is None else merged


def _near_target_field(grid: Grid, mask: VoxelMask, resolution_mm: float) -> tuple[np.ndarray, FieldNodes]:
    # The padding may extend beyond the grid: a target ends at the grid's edge.
    pad = np.ceil(TARGET_PADDING_MM / grid.spacing_mm).astype(int)
    lower = np.array(mask.lower) - pad
    upper = np.array(mask.upper) + pad
    region = np.zeros(tuple(upper - lower), bool)
    inner = tuple(slice(a - o, b - o) for a, b, o in zip(mask.lower, mask.upper, lower, strict=True))
    region[inner] = mask.cropped()
    nodes = field_nodes_over((lower - 0.5) * grid.spacing_mm, (upper - 0.5) * grid.spacing_mm, resolution_mm)
    first = (int(lower[0]), int(lower[1]), int(lower[2]))
    return signed_distance(region, grid.spacing_mm, nodes, first), nodes
