"""Claims on sides: a path whose entry lies entirely to one side of spine and sternum enters on that side.

     R                                  L
  right      | spine, sternum |      left        between these borders the ribs decide: no check
---------------------------------------------> x
"""

import numpy as np

from anatomy.names.roles import key_of
from anatomy.scene import Scene
from planner.records.plan import Plan
from planner.verify.claims import Claims
from planner.verify.geometry.voxels import voxels_of
from planner.verify.tolerances import LENGTH_MM

MIDLINE = frozenset(
    key_of(name)
    for name in (
        "vertebrae",
        "vertebrae_body",
        "spine",
        "sternum",
        "manubrium",
        "xiphoid",
        "xiphoid_process",
        "sternum_body",
        "sternum_manubrium",
    )
)
"""Bones in the midline, by the words of their names."""


def check_sides(claims: Claims, plan: Plan, scene: Scene) -> None:
    """The side of a window is that of its first path."""
    x = [
        scene.grid.to_patient(voxels_of(s.mask, outer_only=True) * scene.grid.spacing_mm)[:, 0]
        for s in scene.structures
        if key_of(s.name) in MIDLINE
    ]
    if not x:
        return
    # On the border itself, rounding would decide.
    least, most = np.concatenate(x).min() - LENGTH_MM, np.concatenate(x).max() + LENGTH_MM
    entries = {path.id: path.entry_mm[0] for path in plan.paths}
    for window in plan.windows:
        stated = window.place.side
        first = entries.get(window.path_ids[0]) if window.path_ids else None
        if stated is None or first is None or least <= first <= most:
            continue
        side = "left" if first > most else "right"
        claims.same("the side of the window", f"window {window.id}", stated, side)
