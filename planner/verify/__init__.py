"""Verification: every claim of a plan, recomputed by other mathematics than the planner's.

plan            every claim of a plan, in order
|-- statements      inputs, numbers, sentences, outcome and ranks: claims that need no geometry
|-- needle          one path against the scene, as an ExaminedAxis with its AxisSpans
|-- implant         the implant part of a plan
|   |-- needle_set      needles together, needles in place, the PTV, and the seeds of the set
|   |-- dose            the dose of all seeds by the direct TG-43 sum, at sample points of its own
|   `-- robustness      placement errors, drawn again
|-- followup        evaluations of an implant, and replanning around measured needles
`-- geometry        an axis against voxels, boxes and triangles, in closed form
"""

from planner.verify.followup import verify_changes, verify_evaluation
from planner.verify.plan import verify

__all__ = ["verify", "verify_changes", "verify_evaluation"]
