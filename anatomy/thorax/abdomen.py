"""Abdomen: the domes of the diaphragm, and liver, stomach and spleen below them. Schematic."""

from collections.abc import Sequence

import numpy as np

from anatomy.thorax.outlines import cavity, paraspinal, prevertebral
from anatomy.thorax.parameters import Chest
from anatomy.thorax.solids.primitives import Ellipsoid, HalfSpace
from anatomy.thorax.solids.solid import Difference, Intersection, Solid, Union

DIAPHRAGM_MM = 3.0


def diaphragm(chest: Chest) -> dict[str, Solid]:
    """The space below each half of the diaphragm: its dome, and everything below its attachment, which
    descends from the xiphoid to the lowest ribs behind. The right half is higher."""
    right, left = chest.points((-62.0, 4.0, -204.0), (58.0, 4.0, -208.0))
    shape = np.array([chest.x, chest.y, chest.z])
    normal = np.array([0.0, 0.29 * chest.z / chest.y, 1.0])
    normal /= np.linalg.norm(normal)
    attachment = HalfSpace(normal, float(normal @ chest.points((0.0, 95.0, -180.0))[0]))
    return {
        "right": Union([Ellipsoid(right, np.array([80.0, 88.0, 88.0]) * shape), attachment]),
        "left": Union([Ellipsoid(left, np.array([76.0, 86.0, 78.0]) * shape), attachment]),
    }


def abdomen(chest: Chest, between: dict[str, Solid], bones: Sequence[Solid]) -> dict[str, Solid]:
    """Liver, stomach and spleen, separate from what passes through the diaphragm, from the heart, and from
    `bones`, the vertebrae and the necks of the ribs."""
    shape = np.array([chest.x, chest.y, chest.z])
    under = {side: half.grown(-DIAPHRAGM_MM) for side, half in diaphragm(chest).items()}
    wall = cavity(chest).grown(-DIAPHRAGM_MM)
    right_lobe, left_lobe, stomach, spleen = chest.points(
        (-63.0, -2.0, -204.0), (0.0, -44.0, -190.0), (56.0, -14.0, -190.0), (100.0, 42.0, -190.0)
    )
    holes = [
        *(
            between[name].grown(DIAPHRAGM_MM)
            for name in ("inferior_vena_cava", "aorta", "azygos_vein", "esophagus")
        ),
        between["heart"].grown(DIAPHRAGM_MM),
        *(bone.grown(1.0) for bone in bones),
        paraspinal(chest),
        prevertebral(chest),
    ]
    lobes = Union(
        [
            Ellipsoid(right_lobe, np.array([79.0, 92.0, 86.0]) * shape),
            Ellipsoid(left_lobe, np.array([54.0, 32.0, 46.0]) * shape),
        ]
    )
    liver = Intersection([lobes, under["right"], wall])
    return {
        "liver": Difference(liver, holes),
        "stomach": Difference(
            Intersection([Ellipsoid(stomach, np.array([34.0, 38.0, 44.0]) * shape), under["left"], wall]),
            [*holes, liver.grown(1.0)],
        ),
        "spleen": Difference(
            Intersection([Ellipsoid(spleen, np.array([26.0, 36.0, 42.0]) * shape), under["left"], wall]),
            holes,
        ),
    }
