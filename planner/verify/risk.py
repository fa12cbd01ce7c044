r"""Claims on the risk of each needle: what it touches in how many samples, and how far it may turn.

    stated chance      between what is touched for sure and what may be touched, in as many samples
    stated tolerance   turned by so much about its entry, many ways, the needle touches nothing

That a needle might be turned farther than is told is no danger, and not looked for.
"""

from collections.abc import Sequence
from math import radians

import numpy as np
from jaxtyping import Float

from anatomy.scene import Scene
from anatomy.structures import Role
from planner.implant_records import NeedleRisk
from planner.records import Path
from planner.request import Needle
from planner.verify.claims import Claims
from planner.verify.placement import Misplaced
from planner.verify.tolerances import RATIO
from planner.verify.touching import touching

WAYS = 36
"""Ways in which a needle is turned [U]."""
UNDER = 1.0 - 1e-9
"""Of a tolerance: it is told of turns by less."""


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
    for risk, least, most in zip(stated, surely.tolist(), maybe.tolist(), strict=True):
        subject = f"needle {risk.path_id}"
        chances = {touch.structure: touch.chance for touch in risk.touches}
        unknown = ", ".join(sorted(chances.keys() - set(found.names))) or "none"
        claims.same("structures touched that there are not", subject, "none", unknown)
        order = sorted(risk.touches, key=lambda touch: (-touch.chance, touch.structure))
        once = len(chances) == len(risk.touches) and all(chances.values())
        in_order = once and list(risk.touches) == order
        words = "in order" if in_order else "out of order"
        claims.holds("what is touched, the likeliest first", subject, "in order", words, in_order)
        for name, few, many in zip(found.names, least, most, strict=True):
            chance = chances.get(name, 0.0)
            if chance or few:
                middle, off = 0.5 * (few + many), 0.5 * (many - few) + RATIO
                claims.equal("chance of a touch", f"{subject}, {name}", chance, middle, off)


def check_tolerances(
    claims: Claims, scene: Scene, needle: Needle, stated: Sequence[NeedleRisk], paths: Sequence[Path]
) -> None:
    """Turned about its entry by its tolerance, a needle touches nothing."""
    forbidden = scene.of_role(Role.FORBIDDEN)
    for risk, path in zip(stated, paths, strict=True):
        subject = f"needle {risk.path_id}"
        right = 0.0 <= risk.tolerance_deg <= 90.0
        words = "an angle" if right else "none"
        claims.holds("the tolerance is an angle of a quarter turn at most", subject, "an angle", words, right)
        if right and risk.tolerance_deg > 0.0:
            entry_B, tip_B = (scene.grid.to_box(np.array(p, float)) for p in (path.entry_mm, path.tip_mm))
            tips = _turned(entry_B, tip_B, UNDER * radians(risk.tolerance_deg))
            entries = np.broadcast_to(entry_B, tips.shape)
            found = touching(forbidden, scene.grid, entries, tips, needle.outer_diameter_mm / 2)
            hit = ", ".join(found.names[column] for column in np.flatnonzero(found.surely.any(axis=0)))
            claims.same("what the needle touches within its tolerance", subject, "nothing", hit or "nothing")


def _turned(
    entry_B: Float[np.ndarray, "3"], tip_B: Float[np.ndarray, "3"], angle: float
) -> Float[np.ndarray, "w 3"]:
    """The tip, and the tip turned about the entry by an angle, all ways around. [mm]"""
    along = tip_B - entry_B
    across = np.linalg.svd(along[None])[2][1:]
    ways = 2.0 * np.pi * np.arange(WAYS) / WAYS
    sideways = np.stack([np.cos(ways), np.sin(ways)], axis=1) @ across * np.linalg.norm(along)
    return np.concatenate([tip_B[None], entry_B + np.cos(angle) * along + np.sin(angle) * sideways])
