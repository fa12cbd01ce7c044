"""How far a claim may lie from its recomputed value, and why.

Claims are lengths of some hundred mm in float64. Their rounding error is near 1e-13 mm, and a crossing with a
face under a shallow angle magnifies it. A nanometre is larger than all of that, and smaller than anything
that can be measured or driven.
"""

LENGTH_MM = 1e-6
"""Lengths, depths and positions."""

DISTANCE_MM = 1e-6
"""Clearances and separations."""

UNIT = 1e-9
"""Components of a direction: at a needle's length of 200 mm, 2e-7 mm at its tip."""

TURN = 1e-7
"""Components of a direction made from two angles: near 90 degrees an arc sine keeps half the digits."""

SCORE = 1e-6
"""Two paths whose scores lie closer than this are equal in rank."""

SHARE = 1e-9
"""Shares of directions, each from 0 to 1."""

SLIVER_MM = 1e-5
"""Crossings shorter than this may be listed or left out: the axis only grazes an edge."""

GRAZE_MM = 1e-7
"""An axis that runs within rounding of a voxel's face or a triangle's edge may be counted on either side of
it. An axis that is shifted by this distance shows the other side."""

CORNER_MM = 0.1 * GRAZE_MM
"""An axis that passes a corner of a surface this closely may miss all faces that meet there. Shifted by
GRAZE_MM, it does not."""

RATIO = 1e-9
"""Relative tolerance of shares, and of numbers that follow from stated numbers by a formula."""

DOSE = 1e-3
"""Relative tolerance of doses: the planner looks them up in a table."""

DOSE_NEAR, NEAR_SEED_MM = 5e-3, 1.0
"""The same within NEAR_SEED_MM of a seed's axis, where the table is least accurate: just outside the capsule,
mainly beyond the ends of the active line."""

DOSE_GY = 1e-12
"""Absolute tolerance of doses in Gy, used where it is larger. The planner's table ends at one metre, where a
hundred of the strongest seeds give less."""
