"""Approach names: a radiologist's name for a path, from the labels if possible, else from the entry point.

    transsternal       through the breastbone
    suprasternal       from above the jugular notch, downwards
    supraclavicular    from above a clavicle, downwards
    parasternal        past the sternal edge, in the zone of the internal mammary vessels
    subxiphoid         from below the breastbone, upwards
    paravertebral      from behind, along the spine
    subcostal          below the last rib
    intercostal        between ribs: anterior, lateral or posterior
    anterior, lateral, posterior     if nothing else applies

The groups of extrapleural access are those of RadioGraphics 2005;25:763 (10.1148/rg.253045030). Distances
without a source are settings [U]: they only affect names.
"""

from dataclasses import dataclass
from math import atan2, degrees, inf

import numpy as np
from jaxtyping import Float

from anatomy.names.landmarks import is_clavicle, is_sternum, is_vertebra
from anatomy.scene import Scene
from planner.measuring.measured import MeasuredPath
from planner.paths.chest_wall import RibSpace, is_rib, points_between, rib_space
from planner.records.paths import WindowPlace

PARASTERNAL_MM = 25.0
"""From the sternal edge: the internal mammary vessels run within this distance (AJR 1990;155:397)."""
PARAVERTEBRAL_ENTRY_MM = 70.0
"""From the midline: within this distance the intercostal artery is not covered by a rib
(10.1016/j.jvir.2021.12.026)."""
PARAVERTEBRAL_PASS_MM = 20.0
"""From a vertebra: a path that stays farther away from all vertebrae is posterior intercostal [U]."""
NOTCH_HALF_WIDTH_MM = 30.0
XIPHOID_HALF_WIDTH_MM = 40.0
"""Largest distance from the sternum's midline of a suprasternal or subxiphoid entry [U]."""
LEVEL_MM = 15.0
"""Half the height of the slab of bone that counts as one level [U]."""
ANTERIOR_DEG, POSTERIOR_DEG = 60.0, 120.0
"""Sectors of the chest wall seen from its middle, 0 is straight anterior: schematic axillary lines [U]."""


_MIDLINE = frozenset({"transsternal", "suprasternal", "subxiphoid"})
"""Approaches that have no side."""
_BESIDE_RIBS = frozenset({"intercostal", "paravertebral"})
"""Approaches that are named with their intercostal space."""


@dataclass(frozen=True)
class _Approach:
    """An approach of the module's list, and between ribs the sector of the chest wall; else ""."""

    kind: str
    sector: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.sector}" if self.sector else self.kind


@dataclass(frozen=True)
class _View:
    """What the rules use. `midline_mm` is the range of x of sternum and spine; without them, everything."""

    measured: MeasuredPath
    sternum_P: Float[np.ndarray, "n 3"]
    spine_P: Float[np.ndarray, "m 3"]
    clavicle_P: Float[np.ndarray, "c 3"]
    centre_P: Float[np.ndarray, "3"]
    midline_mm: tuple[float, float]
    space: RibSpace

    @property
    def side(self) -> str:
        """The patient's side on which the path enters. Near the midline, which is curved, ribs decide."""
        x = self.measured.entry_mm[0]
        least, most = self.midline_mm
        if x < least:
            return "right"
        if x > most:
            return "left"
        return self.space.side or ("left" if x > self.centre_P[0] else "right")

    @property
    def sector(self) -> str:
        """Anterior, lateral or posterior, by where the entry lies around the chest."""
        across = abs(self.measured.entry_mm[0] - self.centre_P[0])
        angle = degrees(atan2(across, self.centre_P[1] - self.measured.entry_mm[1]))
        return "anterior" if angle < ANTERIOR_DEG else "lateral" if angle <= POSTERIOR_DEG else "posterior"


def approach_of(scene: Scene, measured: MeasuredPath) -> str:
    """The approach: "parasternal", "intercostal lateral", ... (see the module's list)."""
    return str(_approach(_view(scene, measured)))


def window_place(scene: Scene, measured: MeasuredPath) -> WindowPlace:
    """The approach with its side and, where the labels tell, the intercostal space."""
    view = _view(scene, measured)
    approach = _approach(view)
    if approach.kind in _MIDLINE:
        return WindowPlace(approach.kind, None, None, None, None)
    above, below = view.space.numbers if approach.kind in _BESIDE_RIBS else (None, None)
    return WindowPlace(approach.kind, view.side, above, below, approach.sector or None)


def _approach(view: _View) -> _Approach:
    if any(is_sternum(c.structure) for c in view.measured.crosses):
        return _Approach("transsternal")
    if _suprasternal(view):
        return _Approach("suprasternal")
    if _supraclavicular(view):
        return _Approach("supraclavicular")
    if _parasternal(view):
        return _Approach("parasternal")
    if _subxiphoid(view):
        return _Approach("subxiphoid")
    if _paravertebral(view):
        return _Approach("paravertebral")
    if _subcostal(view):
        return _Approach("subcostal")
    if view.space.above or view.space.below:
        return _Approach("intercostal", view.sector)
    return _Approach(view.sector)


def _suprasternal(view: _View) -> bool:
    if len(view.sternum_P) == 0:
        return False
    top = view.sternum_P[:, 2].max()
    notch_P = view.sternum_P[view.sternum_P[:, 2] > top - LEVEL_MM].mean(axis=0)
    x, _, z = view.measured.entry_mm
    downwards = view.measured.direction[2] < 0
    return bool(downwards and z > top and abs(x - notch_P[0]) <= NOTCH_HALF_WIDTH_MM) and _in_front(view)


def _supraclavicular(view: _View) -> bool:
    x, _, z = view.measured.entry_mm
    clavicle_near_entry_P = view.clavicle_P[np.abs(view.clavicle_P[:, 0] - x) <= LEVEL_MM]
    if len(clavicle_near_entry_P) == 0 or view.measured.direction[2] >= 0:
        return False
    return bool(z > clavicle_near_entry_P[:, 2].max()) and _in_front(view)


def _in_front(view: _View) -> bool:
    """Whether the entry lies in front of the spine."""
    y = view.measured.entry_mm[1]
    return bool(y < (view.spine_P[:, 1].mean() if len(view.spine_P) else view.centre_P[1]))


def _parasternal(view: _View) -> bool:
    """Whether the axis passes the sternal edge closely, at the depth of the sternum."""
    level_P = _at_level(view.sternum_P, view.measured.entry_mm[2])
    dy = view.measured.direction[1]
    if len(level_P) == 0 or dy <= 0:
        return False
    depth = (level_P[:, 1].mean() - view.measured.entry_mm[1]) / dy
    if not 0 <= depth <= view.measured.length_mm:
        return False
    passing_P = view.measured.entry_P + depth * view.measured.direction_P
    level_P = _at_level(view.sternum_P, float(passing_P[2]))
    if len(level_P) == 0:
        return False
    beyond_edge = max(level_P[:, 0].min() - passing_P[0], passing_P[0] - level_P[:, 0].max())
    return bool(beyond_edge <= PARASTERNAL_MM)


def _subxiphoid(view: _View) -> bool:
    if len(view.sternum_P) == 0:
        return False
    bottom = view.sternum_P[:, 2].min()
    tail_P = view.sternum_P[view.sternum_P[:, 2] < bottom + LEVEL_MM].mean(axis=0)
    x, _, z = view.measured.entry_mm
    upwards = view.measured.direction[2] > 0
    in_line = abs(x - tail_P[0]) <= XIPHOID_HALF_WIDTH_MM
    return bool(upwards and z < bottom and in_line) and view.sector == "anterior"


def _paravertebral(view: _View) -> bool:
    x, y, _ = view.measured.entry_mm
    if len(view.spine_P) == 0 or view.measured.direction[1] >= 0:
        return False
    if abs(x - view.centre_P[0]) > PARAVERTEBRAL_ENTRY_MM or y < view.spine_P[:, 1].mean():
        return False
    from_entry = view.spine_P - view.measured.entry_P
    depths = np.clip(from_entry @ view.measured.direction_P, 0.0, view.measured.length_mm)
    away = np.linalg.norm(from_entry - depths[:, None] * view.measured.direction_P, axis=1)
    return bool(away.min() <= PARAVERTEBRAL_PASS_MM)


def _subcostal(view: _View) -> bool:
    """Whether there are ribs only above the axis, below the level of the breastbone. Between costal
    cartilages, which may be unlabelled, ribs can also be missing on one side."""
    ribs_above_only = view.space.above is not None and view.space.below is None
    bottom = view.sternum_P[:, 2].min() if len(view.sternum_P) else inf
    return bool(ribs_above_only and view.measured.entry_mm[2] < bottom)


def _at_level(points_P: Float[np.ndarray, "n 3"], z: float) -> Float[np.ndarray, "m 3"]:
    return points_P[np.abs(points_P[:, 2] - z) <= LEVEL_MM]


def _view(scene: Scene, measured: MeasuredPath) -> _View:
    body_P = scene.grid.to_patient(np.stack([scene.grid.lower_B, scene.grid.upper_B]))
    # An oblique grid's corners do not bound it in P: its diagonal does.
    diagonal = float(np.linalg.norm(body_P[1] - body_P[0]))
    all_lower_P, all_upper_P = body_P.mean(axis=0) - diagonal, body_P.mean(axis=0) + diagonal
    bones = [s for s in scene.structures if not is_rib(s.name)]
    sternum_P, all_spine_P, clavicle_P = (
        points_between((s for s in bones if is_one(s.name)), scene.grid, all_lower_P, all_upper_P)
        for is_one in (is_sternum, is_vertebra, is_clavicle)
    )
    midline = np.concatenate([sternum_P[:, 0], all_spine_P[:, 0]])
    # The spine is curved: only its part at the path's levels shows where the midline is there.
    lower = min(measured.entry_mm[2], measured.tip_mm[2]) - LEVEL_MM
    upper = max(measured.entry_mm[2], measured.tip_mm[2]) + LEVEL_MM
    spine_P = all_spine_P[(all_spine_P[:, 2] >= lower) & (all_spine_P[:, 2] <= upper)]
    return _View(
        measured,
        sternum_P,
        spine_P,
        clavicle_P,
        centre_P=_centre(scene, sternum_P, spine_P),
        midline_mm=(float(midline.min()), float(midline.max())) if len(midline) else (-inf, inf),
        space=rib_space(scene, measured),
    )


def _centre(
    scene: Scene, sternum_P: Float[np.ndarray, "n 3"], spine_P: Float[np.ndarray, "m 3"]
) -> Float[np.ndarray, "3"]:
    """The middle of the chest: midline by spine, else sternum, else body; halfway from sternum to spine."""
    middle_V = (np.array(scene.body.lower) + np.array(scene.body.upper) - 1) / 2
    centre_P = scene.grid.to_patient(middle_V * scene.grid.spacing_mm)
    if len(spine_P):
        centre_P[0] = spine_P[:, 0].mean()
    elif len(sternum_P):
        centre_P[0] = sternum_P[:, 0].mean()
    if len(spine_P) and len(sternum_P):
        centre_P[1] = 0.5 * (spine_P[:, 1].mean() + sternum_P[:, 1].mean())
    return centre_P
