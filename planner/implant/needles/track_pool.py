"""Track pool: the tracks that a needle set is chosen from; given needles come first.

A needle of a set carries seeds to the PTV and need not pass through the target. Where a vessel runs at the
far edge of the PTV, it need not go on to that edge: it ends where the PTV is clear of everything forbidden.

    |  PTV   : too near  |vessel        tips lie along the dotted line
    o==|=|===:           |
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.ndimage import map_coordinates

from anatomy.geometry.distance_field import QUANTUM_MM
from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask, mask_from_bool
from anatomy.scene import Scene
from planner.implant.needles.template_bundles import bundles
from planner.implant.needles.tracks import Tracks, candidate_rows, join_tracks, seed_spans, tracks_of
from planner.measuring.measure import Measurer
from planner.measuring.measured import MeasuredPath
from planner.records.progress import GoOn, Phase
from planner.records.request.needle_set import Arrangement
from planner.records.request.request import Request
from planner.search.kernels.search_fields import SearchFields
from planner.search.scene_fields import with_target
from planner.search.search import search

COVERING_MM = 2.0
"""Covering radius of the search for the needles of a set, or the request's where that is larger. A set needs
many neighbouring tracks, not the narrowest windows [U]."""
TIP_SPARE_MM = 1.0
"""Tips lie where obstacles are farther away than required by this distance: voxels do not show the limit
exactly [U]."""


def pools(
    scene: Scene,
    request: Request,
    given_paths: Sequence[MeasuredPath],
    fields: SearchFields,
    ptv: VoxelMask,
    go_on: GoOn,
) -> list[Tracks]:
    """The pools that a set is chosen from, with the given needles first in each: one pool for free needles,
    one for each direction of a bundle. Where nothing reaches the PTV, a pool has the given needles only."""
    seed_mm = request.seeds.source.seed_length_mm
    in_place = given_tracks(given_paths, ptv, scene.grid, seed_mm)
    reachable = _reachable(scene, fields, ptv)
    if reachable is None:
        return [in_place]
    aimed = with_target(fields, reachable, scene.grid, request.search.field_resolution_mm)
    radius = max(COVERING_MM, request.search.covering_radius_mm)
    lines = search(aimed, radius, lambda p: go_on(replace(p, phase=Phase.NEEDLES))).lines
    settings, price = request.needle_set, request.needle_set.puncture_cost_mm
    line_groups = (
        [lines]
        if settings.arrangement is Arrangement.FREE
        else bundles(aimed, lines, settings.grid_pitch_mm, price)
    )
    measurer = Measurer(scene, request.needle_assembly)
    candidates = (part.take(candidate_rows(part, ptv, scene.grid, price)) for part in line_groups)
    tracks = (tracks_of(part, reachable, ptv, measurer, scene.grid, seed_mm) for part in candidates)
    return [join_tracks(in_place, part) for part in tracks] or [in_place]


def _reachable(scene: Scene, fields: SearchFields, ptv: VoxelMask) -> VoxelMask | None:
    """The PTV's voxels that are clear of all obstacles; None where there are none."""
    index = np.argwhere(ptv.cropped()) + np.array(ptv.lower)
    at = (index * scene.grid.spacing_mm - np.array(fields.lower)) / np.array(fields.obstacle_step)
    spare_mm = map_coordinates(fields.obstacle, at.T, output=float, order=1, mode="nearest") * QUANTUM_MM
    index = index[spare_mm >= TIP_SPARE_MM]
    if not len(index):
        return None
    clear = np.zeros(scene.grid.shape, bool)
    clear[tuple(index.T)] = True
    return mask_from_bool(clear)


def given_tracks(given_paths: Sequence[MeasuredPath], ptv: VoxelMask, grid: Grid, seed_mm: float) -> Tracks:
    """Given needles as tracks, in their order. A needle that does not reach the PTV has no span for seeds."""
    tip = grid.to_box(_rows([m.tip_mm for m in given_paths]))
    outward = grid.vectors_to_box(-_rows([m.direction for m in given_paths]))
    spans = tuple(
        seed_spans(ptv, grid, tip[n], outward[n], m.length_mm, seed_mm) for n, m in enumerate(given_paths)
    )
    return Tracks(
        tip,
        outward,
        np.array([m.length_mm for m in given_paths], float),
        np.array([m.lung_length_mm for m in given_paths], float),
        np.array([m.pleural_punctures for m in given_paths], int),
        spans,
    )


def _rows(points: list[tuple[float, float, float]]) -> Float[np.ndarray, "n 3"]:
    return np.array(points, float).reshape(-1, 3)
