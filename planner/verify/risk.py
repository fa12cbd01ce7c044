"""Claims on the risk of each needle: what it touches in how many samples, and how far it may turn.

    stated chance      between what is touched for sure and what may be touched, in as many samples
    stated tolerance   no more than the turn that brings the wall to a point of any forbidden voxel

That a needle might be turned farther than is told is no danger, and not looked for.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from anatomy.scene import Scene
from anatomy.structures import Role
from planner.implant_records import NeedleRisk
from planner.records import Aim, Path
from planner.request import Needle
from planner.verify.claims import Claims
from planner.verify.placement import Misplaced
from planner.verify.tolerances import RATIO
from planner.verify.touching import touching
from planner.verify.voxels import voxels_of

DEG = 1e-9
"""Rounding of angles. [deg]"""


def check_touches(
    claims: Claims,
    scene: Scene,
    needle: Needle,
    stated: Sequence[NeedleRisk],
    paths: Sequence[Path],
    wrong: Sequence[Misplaced],
) -> None:
    """How often each needle touches what, and that the likeliest is named first."""
    entries = np.concatenate([w.entry_B for w in wrong])
    tips = np.concatenate([w.at(path.length_mm) for w, path in zip(wrong, paths, strict=True)])
    found = touching(scene.of_role(Role.FORBIDDEN), scene.grid, entries, tips, needle.outer_diameter_mm / 2)
    samples = len(entries) // len(wrong)
    shape = (len(wrong), samples, len(found.names))
    surely, maybe = (hits.reshape(shape).mean(axis=1) for hits in (found.surely, found.maybe))
    for risk, path, least, most in zip(stated, paths, surely.tolist(), maybe.tolist(), strict=True):
        subject = f"needle {risk.path_id}"
        chances = {touch.structure: touch.chance for touch in risk.touches}
        unknown = ", ".join(sorted(chances.keys() - set(found.names))) or "none"
        claims.same("structures touched that there are not", subject, "none", unknown)
        order = sorted(risk.touches, key=lambda touch: (-touch.chance, touch.structure))
        once = len(chances) == len(risk.touches) and all(chances.values())
        in_order = once and list(risk.touches) == order
        words = "in order" if in_order else "out of order"
        claims.holds("what is touched, the likeliest first", subject, "in order", words, in_order)
        if path.aim is Aim.GIVEN:
            # It is in: what it touches is no matter of chance.
            told = ", ".join(chances) or "none"
            claims.same("chances of a needle that is in already", subject, "none", told)
            continue
        for name, few, many in zip(found.names, least, most, strict=True):
            chance = chances.get(name, 0.0)
            if chance or few:
                middle, off = 0.5 * (few + many), 0.5 * (many - few) + RATIO
                claims.equal("chance of a touch", f"{subject}, {name}", chance, middle, off)


def check_tolerances(
    claims: Claims, scene: Scene, needle: Needle, stated: Sequence[NeedleRisk], paths: Sequence[Path]
) -> None:
    """Turned about its entry by less than its tolerance, whichever way, a needle touches no point that is
    looked at of any voxel of a forbidden structure: its centre, and what of it lies nearest to the axis."""
    spacing = scene.grid.spacing_mm
    outer = [voxels_of(s.mask, outer_only=True) for s in scene.of_role(Role.FORBIDDEN)]
    centres_B = np.concatenate([np.empty((0, 3)), *outer]) * spacing
    for risk, path in zip(stated, paths, strict=True):
        subject, told = f"needle {risk.path_id}", risk.tolerance_deg
        entry_B, tip_B = (scene.grid.to_box(np.array(p, float)) for p in (path.entry_mm, path.tip_mm))
        length = float(np.linalg.norm(tip_B - entry_B))
        along = (tip_B - entry_B) / length
        feet_B = entry_B + np.clip((centres_B - entry_B) @ along, 0.0, length)[:, None] * along
        nearest_B = np.clip(feet_B, centres_B - 0.5 * spacing, centres_B + 0.5 * spacing)
        radius = needle.outer_diameter_mm / 2
        turns = (
            _turn_that_touches(entry_B, along, length, points, radius) for points in (centres_B, nearest_B)
        )
        claims.at_least("no turn by less than the tolerance touches", subject, told, min(turns), DEG)
        claims.at_least("the tolerance is an angle", subject, 0.0, told, 0.0)


def _turn_that_touches(
    entry_B: Float[np.ndarray, "3"],
    along: Float[np.ndarray, "3"],
    length_mm: float,
    points_B: Float[np.ndarray, "n 3"],
    radius_mm: float,
) -> float:
    """The least turn about the entry at which the wall comes to one of the points that the needle is long
    enough for; a quarter turn where there is none. [deg]"""
    towards = points_B - entry_B
    away = np.linalg.norm(towards, axis=1)
    near = away <= length_mm
    away, towards = np.maximum(away[near], radius_mm), towards[near]
    turn = np.arccos(np.clip(towards @ along / away, -1.0, 1.0)) - np.arcsin(radius_mm / away)
    return float(np.degrees(max(0.0, turn.min(initial=np.pi / 2))))
