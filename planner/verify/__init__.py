"""Verification: every claim of a plan, recomputed by other mathematics than the planner's.

whole       the order of things
|-- inputs, numbers, sentences, outcome, order      what needs no geometry
|-- track, passage, seeds, room, clearance, miss      one path, or all, against the scene
|       on a Trial: an axis with its Sights, the spans it runs through
`-- voxels, meshes, boxes, triangles, segments, spans      geometry
"""

from planner.verify.whole import verify

__all__ = ["verify"]
