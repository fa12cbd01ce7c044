"""Lungs: five lobes that fill the cavity, cut by the fissures, separate from everything between them.

from the left      apex
                  .---.
        upper    /    _.|     oblique fissure: from T4 behind, down to the
                |  _.'  |     diaphragm in front; on the right the horizontal
                |-' lower     fissure separates the middle lobe from the upper one
                '-._____|
"""

from collections.abc import Sequence

import numpy as np

from anatomy.thorax.abdomen import diaphragm
from anatomy.thorax.outlines import cavity, paraspinal, prevertebral
from anatomy.thorax.parameters import Chest
from anatomy.thorax.solids.loft import Loft
from anatomy.thorax.solids.primitives import Ellipsoid, HalfSpace
from anatomy.thorax.solids.solid import Difference, Intersection, Solid, Union

PLEURA_MM = 2.5
"""From the inner face of the rib cage to the lung."""

FAT_MM = 3.0
"""Least tissue between lung and mediastinal organs or spine."""

JUNCTION_MM = 1.5
"""From the midline to each lung, where no organ separates them."""

HILUM_MM = 1.5
"""Tissue around vessels and bronchi that enter the lung."""

# Structures that enter the lung, and so lie closer to it.
_HILAR = {
    "main_bronchus_left",
    "main_bronchus_right",
    "pulmonary_artery_left",
    "pulmonary_artery_right",
    "pulmonary_vein",
}

# Mediastinal fat as an elliptic core. Rows: z, centre x and y, semi-axes. [mm]
_CORE = (
    (-200.0, 10.0, -20.0, 30.0, 58.0),
    (-110.0, 12.0, -18.0, 30.0, 62.0),
    (-60.0, 6.0, -14.0, 32.0, 60.0),
    (-25.0, 2.0, -18.0, 38.0, 60.0),
    (12.0, -2.0, -26.0, 40.0, 74.0),
    (45.0, 0.0, -20.0, 42.0, 62.0),
    (95.0, 0.0, -10.0, 46.0, 56.0),
)


def _core(chest: Chest) -> Loft:
    return Loft(np.array(_CORE) * np.array([chest.z, chest.x, chest.y, chest.x, chest.y]))


def _window(chest: Chest) -> Ellipsoid:
    """Fat of the aortopulmonary window, in which the nodes of station 5 lie."""
    return Ellipsoid(chest.points((32.0, -4.0, 2.0))[0], np.array([21.0, 27.0, 20.0]) * chest.calibre)


def _oblique(chest: Chest, behind_z: float, front_z: float, tilt: float) -> HalfSpace:
    """The lower side of an oblique fissure through (0, 92, behind_z) and (0, -86, front_z), rising by
    `tilt` per mm towards the left."""
    slope = (behind_z - front_z) * chest.z / (178.0 * chest.y)
    normal = np.array([-tilt, -slope, 1.0])
    normal /= np.linalg.norm(normal)
    return HalfSpace(normal, float(normal @ np.array([0.0, 92.0 * chest.y, behind_z * chest.z])))


def lungs(
    chest: Chest, between: dict[str, Solid], bones: Sequence[Solid], nodes: dict[str, Solid]
) -> dict[str, Solid]:
    """The five lobes. `between` are the mediastinal organs, `bones` the vertebrae and the necks of the ribs,
    `nodes` the lymph nodes that displace lung."""
    pleural = cavity(chest).grown(-PLEURA_MM)
    holes = [
        _core(chest),
        prevertebral(chest),
        paraspinal(chest),
        _window(chest),
        *(solid.grown(HILUM_MM if name in _HILAR else FAT_MM) for name, solid in between.items()),
        *(bone.grown(PLEURA_MM) for bone in bones),
        *(solid.grown(1.0) for solid in nodes.values()),
    ]
    shape = np.array([chest.x, chest.y, chest.z])
    apex_right, apex_left = chest.points((-44.0, 14.0, -28.0), (44.0, 16.0, -28.0))
    leftward = np.array([1.0, 0.0, 0.0])
    half_right, half_left = HalfSpace(leftward, -JUNCTION_MM), HalfSpace(-leftward, -JUNCTION_MM)
    under = diaphragm(chest)
    below_apex = HalfSpace(np.array([0.0, 0.0, 1.0]), -28.0 * chest.z)
    dome_right = Union([Ellipsoid(apex_right, np.array([110.0, 125.0, 94.0]) * shape), below_apex])
    dome_left = Union([Ellipsoid(apex_left, np.array([110.0, 125.0, 97.0]) * shape), below_apex])
    right = [pleural, dome_right, half_right]
    left = [pleural, dome_left, half_left]
    below_right = _oblique(chest, 12.0, -142.0, 0.10)
    below_left = _oblique(chest, 22.0, -136.0, -0.10)
    above_right, above_left = below_right.other_side(), below_left.other_side()
    below_horizontal = HalfSpace(np.array([0.0, 0.0, 1.0]), -42.0 * chest.z)

    # One union for all lobes, so that its bounds are computed once.
    between_lungs = Union(holes)

    def lobe(parts: list[Solid], side: str, *fissures: HalfSpace) -> Solid:
        return Difference(Intersection([*parts, *fissures]), [under[side], between_lungs])

    return {
        "lung_upper_lobe_left": lobe(left, "left", above_left),
        "lung_lower_lobe_left": lobe(left, "left", below_left),
        "lung_upper_lobe_right": lobe(right, "right", above_right, below_horizontal.other_side()),
        "lung_middle_lobe_right": lobe(right, "right", above_right, below_horizontal),
        "lung_lower_lobe_right": lobe(right, "right", below_right),
    }
