"""Targets: lymph nodes at stations 3A, 4R, 5 and 7, and a lesion of the right upper lobe.

Stations as in the IASLC map (Rusch 2009, 10.1097/JTO.0b013e3181a0d82e): 3A prevascular, behind the sternum
and before the great vessels; 4R right lower paratracheal, down to the azygos vein; 5 lateral of the
aortopulmonary window; 7 below the carina. Sizes are settings [U].
"""

import numpy as np

from anatomy.thorax.parameters import Chest, ThoraxParameters
from anatomy.thorax.solids.primitives import Ellipsoid
from anatomy.thorax.solids.solid import Solid

# Centre, and semi-axes for a long diameter of 1, in the reference chest.
_PLACES = {
    "node_3A": ((-8.0, -54.0, 12.0), (0.45, 0.32, 0.50)),
    "node_4R": ((-22.0, 7.0, 18.0), (0.40, 0.38, 0.50)),
    "node_5": ((40.0, -14.0, 5.0), (0.50, 0.50, 0.50)),
    "node_7": ((3.0, 18.0, -30.0), (0.45, 0.38, 0.50)),
    "lesion_lung_right": ((-72.0, 18.0, 14.0), (0.50, 0.50, 0.50)),
}


def nodes(parameters: ThoraxParameters, chest: Chest) -> dict[str, Solid]:
    """Ellipsoids. They overlap lung or body, never a vessel, the airway or a bone."""
    long_mm = {
        "node_3A": parameters.node_3A_mm,
        "node_4R": parameters.node_4R_mm,
        "node_5": parameters.node_5_mm,
        "node_7": parameters.node_7_mm,
        "lesion_lung_right": parameters.lesion_mm,
    }
    return {
        name: Ellipsoid(chest.points(centre)[0], np.array(shape) * long_mm[name])
        for name, (centre, shape) in _PLACES.items()
    }
