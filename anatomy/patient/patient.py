"""Patient: the structures with roles that hold voxels, including the target, and the body around them.

If the field of view ends before the grid, there are two patients: one of the whole input, to find misplaced
structures, and one of the slices in the field of view.
"""

from dataclasses import dataclass

from anatomy.errors import StructureError
from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from anatomy.patient.body.body import body_of
from anatomy.patient.body.body_parts import BodyParts, joined_with_target, obstacles_of
from anatomy.patient.body.outside_body import OrganPlacement, notes_on_outside, organ_placements
from anatomy.patient.body.shells import refuse_no_body
from anatomy.patient.body.view_ends import ViewEnds
from anatomy.patient.target import refuse_target_outside, share_outside, target_of
from anatomy.plausibility.orientation import notes_on_orientation
from anatomy.plausibility.remnants import remnants_of
from anatomy.structures import Role, Segmentation, Structure


@dataclass(frozen=True, eq=False)
class Patient:
    """Structures that hold voxels, by name, and the body around them. `skin_structures` are those whose
    surface is the skin, none if it is guessed; `outside` is the share of the target outside the body."""

    grid: Grid
    structures: tuple[Structure, ...]
    target: VoxelMask
    parts: BodyParts
    skin_structures: tuple[str, ...]
    outside: float

    @property
    def guessed(self) -> bool:
        """Whether no body structure was given."""
        return not self.skin_structures


def patient_of(segmentation: Segmentation) -> Patient:
    """The patient with these structures, which have roles. Raises StructureError if there is no target,
    nothing but the target, a body structure that is not a body, or a target outside the body."""
    structures, grid = segmentation.structures, segmentation.grid
    # Sorted by name, so that the order of the input never matters, not even where lungs overlap.
    filled = tuple(sorted((s for s in structures if s.mask.count > 0), key=lambda s: s.name))
    target = target_of(structures, grid)
    _refuse_nothing_but_target(structures)
    parts, skin_structures = body_of(filled, grid)
    guessed = not skin_structures
    if not guessed:
        refuse_no_body(parts, grid)
    outside = share_outside(target, parts.body, (s.mask for s in filled if s.role is Role.SKIN))
    refuse_target_outside(
        outside,
        target,
        (s for s in filled if s.role is Role.OUTSIDE),
        obstacles_of(parts, segmentation.names()),
        guessed,
    )
    return Patient(grid, filled, target, parts, skin_structures, outside)


@dataclass(frozen=True, eq=False)
class StructurePlacement:
    """How the structures of a patient lie: notes on those that contradict their names, and the placement of
    organs relative to the body with the target."""

    orientation_notes: tuple[str, ...]
    organs: tuple[OrganPlacement, ...]
    parts: BodyParts
    grid: Grid


def structure_placement(patient: Patient) -> StructurePlacement:
    """How the structures lie. Raises FrameMismatch if most of them contradict their names, or lie outside the
    body."""
    remnants = {remnant.name for remnant in remnants_of(patient.structures, patient.grid)}
    judged = [s for s in patient.structures if s.name not in remnants]
    parts = joined_with_target(patient.parts, patient.target)
    orientation_notes = notes_on_orientation(judged, patient.grid)
    organs = organ_placements(patient.structures, parts, guessed=patient.guessed)
    return StructurePlacement(orientation_notes, organs, parts, patient.grid)


def notes_on_placement(placement: StructurePlacement, ends: ViewEnds | None) -> tuple[str, ...]:
    """Notes on structures that contradict their names or lie outside the body. `ends` are the ends at which
    the grid is cut afterwards; None if it is not cut."""
    organs = notes_on_outside(placement.organs, placement.parts, placement.grid, ends)
    return (*placement.orientation_notes, *organs)


def _refuse_nothing_but_target(structures: tuple[Structure, ...]) -> None:
    empty = [s.name for s in structures if s.role is Role.SKIN and s.mask.count == 0]
    if empty:
        raise StructureError(empty[0], "the body structure is empty", "Segment it, or leave it out.")
    if all(s.role is Role.TARGET for s in structures if s.mask.count > 0):
        raise StructureError(
            "input", "it holds nothing but the target", "Give the segmented organs and the body as well."
        )
