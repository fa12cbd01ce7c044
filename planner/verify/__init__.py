"""Verification: every claim of a plan, recomputed by other mathematics than the planner's.

whole       the order of things
|-- inputs, numbers, sentences, outcome, order      what needs no geometry
|-- track, passage, seeds, room, clearance, miss      one path, or all, against the scene
|       on a Trial: an axis with its Sights, the spans it runs through
|-- implant: needle_set, needles, template, implant_seeds, ptv     needles together, and their seeds
|-- given      what needles that are in already lie too near to
|-- dose: strength, volume_dose, hottest, conformity, goals, organ_limits        what these seeds give
|       by the direct sum (tg43 at a point, planted at many) at points of their own (dvh)
|-- robustness: risk, placement, touching      what errors of placement do, drawn again
|-- results: cold_spots      what was found after an implant, and what replanning changed
`-- voxels, meshes, boxes, triangles, segments, spans      geometry
"""

from planner.verify.followup import verify_changes, verify_evaluation
from planner.verify.plan import verify

__all__ = ["verify", "verify_changes", "verify_evaluation"]
