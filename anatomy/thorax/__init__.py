"""The built-in thorax: a parametric adult chest, used as the default case and as the reference in tests.

`solids` gives each structure as a formula, `thorax` the same structures as voxels.
"""

from anatomy.thorax.build import field_of_view_P, solids, thorax
from anatomy.thorax.parameters import ThoraxParameters
from anatomy.thorax.solids.solid import Solid

__all__ = ["Solid", "ThoraxParameters", "field_of_view_P", "solids", "thorax"]
