"""Claims on the risk of each needle: how often it touches which structure, and how far it may be turned.

    stated chance      between the shares of samples that surely touch and that may touch the structure
    stated tolerance   at most the angle that brings the wall to a point of any forbidden voxel, and at most
                       the angle whose chord is as long as the free distance at any of some depths

A needle that may be turned farther than stated is not a risk, and is not checked.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from anatomy.scene import Scene
from anatomy.structures import Role
from planner.records.paths import Aim, Path
from planner.records.request.needle import Needle
from planner.records.robustness import NeedleRisk
from planner.verify.claims import Claims
from planner.verify.geometry.voxels import voxels_of
from planner.verify.robustness.placement_errors import Misplaced
from planner.verify.robustness.touched import touching
from planner.verify.tolerances import RATIO

DEG = 1e-9
"""Rounding of angles. [deg]"""
DEPTHS, NEAREST = 128, 8
"""Number of depths at which the free distance is computed, and number of voxels, nearest by their centres, to
which it is computed [U]. The distance to some voxels is never less than that to all, so that no true claim is
refused."""


def check_touches(
    claims: Claims,
    scene: Scene,
    needle: Needle,
    stated: Sequence[NeedleRisk],
    paths: Sequence[Path],
    wrong: Sequence[Misplaced],
) -> None:
    """How often each needle touches each structure. The most likely touch is listed first."""
    entries = np.concatenate([w.entry_B for w in wrong])
    tips = np.concatenate([w.at(path.length_mm) for w, path in zip(wrong, paths, strict=True)])
    hits = touching(scene.of_role(Role.FORBIDDEN), scene.grid, entries, tips, needle.outer_diameter_mm / 2)
    samples = len(entries) // len(wrong)
    shape = (len(wrong), samples, len(hits.names))
    surely, maybe = (touched.reshape(shape).mean(axis=1) for touched in (hits.surely, hits.maybe))
    for risk, path, least, most in zip(stated, paths, surely.tolist(), maybe.tolist(), strict=True):
        subject = f"needle {risk.path_id}"
        chances = {touch.structure: touch.chance for touch in risk.touches}
        unknown = ", ".join(sorted(chances.keys() - set(hits.names))) or "none"
        claims.same("touched structures that do not exist", subject, "none", unknown)
        order = sorted(risk.touches, key=lambda touch: (-touch.chance, touch.structure))
        once = len(chances) == len(risk.touches) and all(chances.values())
        in_order = once and list(risk.touches) == order
        words = "in order" if in_order else "out of order"
        claims.holds("touched structures, the most likely first", subject, "in order", words, in_order)
        if path.aim is Aim.GIVEN:
            # A needle in place has no chance of touching: it does or it does not.
            stated_touches = ", ".join(chances) or "none"
            claims.same("chances of a needle in place", subject, "none", stated_touches)
            continue
        for name, few, many in zip(hits.names, least, most, strict=True):
            chance = chances.get(name, 0.0)
            if chance or few:
                middle, off = 0.5 * (few + many), 0.5 * (many - few) + RATIO
                claims.equal("chance of a touch", f"{subject}, {name}", chance, middle, off)


def check_tolerances(
    claims: Claims, scene: Scene, needle: Needle, stated: Sequence[NeedleRisk], paths: Sequence[Path]
) -> None:
    """A needle that is turned about its entry, in any direction, by less than its tolerance touches no
    forbidden voxel, at two points of each: its centre, and the point nearest to the axis."""
    spacing = scene.grid.spacing_mm
    outer = [voxels_of(s.mask, outer_only=True) for s in scene.of_role(Role.FORBIDDEN)]
    centres_B = np.concatenate([np.empty((0, 3)), *outer]) * spacing
    tree = cKDTree(centres_B)
    for risk, path in zip(stated, paths, strict=True):
        subject, tolerance = f"needle {risk.path_id}", risk.tolerance_deg
        entry_B, tip_B = (scene.grid.to_box(np.array(p, float)) for p in (path.entry_mm, path.tip_mm))
        length = float(np.linalg.norm(tip_B - entry_B))
        along = (tip_B - entry_B) / length
        feet_B = entry_B + np.clip((centres_B - entry_B) @ along, 0.0, length)[:, None] * along
        nearest_B = np.clip(feet_B, centres_B - 0.5 * spacing, centres_B + 0.5 * spacing)
        radius = needle.outer_diameter_mm / 2
        turns = (
            _turn_that_touches(entry_B, along, length, points, radius) for points in (centres_B, nearest_B)
        )
        claims.at_least("no turn by less than the tolerance touches", subject, tolerance, min(turns), DEG)
        chord = _chord_in_free_space(tree, centres_B, spacing, entry_B, tip_B, radius)
        claims.at_least(
            "the tolerance's chord is no longer than the free distance", subject, tolerance, chord, DEG
        )
        claims.at_least("the tolerance is an angle", subject, 0.0, tolerance, 0.0)


def _turn_that_touches(
    entry_B: Float[np.ndarray, "3"],
    along: Float[np.ndarray, "3"],
    length_mm: float,
    points_B: Float[np.ndarray, "n 3"],
    radius_mm: float,
) -> float:
    """The least turn about the entry at which the wall reaches one of the points, of those no farther from
    the entry than the tip; a quarter turn where there is none. [deg]"""
    towards = points_B - entry_B
    away = np.linalg.norm(towards, axis=1)
    within_reach = away <= length_mm
    away, towards = np.maximum(away[within_reach], radius_mm), towards[within_reach]
    turn = np.arccos(np.clip(towards @ along / away, -1.0, 1.0)) - np.arcsin(radius_mm / away)
    return float(np.degrees(max(0.0, turn.min(initial=np.pi / 2))))


def _chord_in_free_space(
    tree: cKDTree,
    centres_B: Float[np.ndarray, "n 3"],
    spacing_mm: Float[np.ndarray, "3"],
    entry_B: Float[np.ndarray, "3"],
    tip_B: Float[np.ndarray, "3"],
    radius_mm: float,
) -> float:
    """The least turn, over depths s, whose chord 2 s sin(turn / 2) is as long as the free distance there; a
    quarter turn at most. [deg]"""
    if not len(centres_B):
        return 90.0
    parts = np.arange(1, DEPTHS + 1) / DEPTHS
    points_B = entry_B + parts[:, None] * (tip_B - entry_B)
    _, rows = tree.query(points_B, k=min(NEAREST, len(centres_B)))
    away = np.abs(points_B[:, None, :] - centres_B[rows.reshape(DEPTHS, -1)]) - 0.5 * spacing_mm
    free_mm = np.linalg.norm(np.maximum(away, 0.0), axis=2).min(axis=1) - radius_mm
    depths = parts * float(np.linalg.norm(tip_B - entry_B))
    halves = np.clip(0.5 * free_mm / depths, 0.0, np.sin(np.pi / 4))
    return float(np.degrees(2.0 * np.arcsin(halves.min())))
