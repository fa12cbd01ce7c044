"""Patient: structures with roles that hold voxels, the target among them, and the body around them.

He is looked at twice where the field of view ends short of the grid: as he was given, so that what is
misplaced is told, and on the slices that the field of view shows.
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
    surface the skin is, none where it is guessed; `outside` is the share of the target that lies outside."""

    grid: Grid
    structures: tuple[Structure, ...]
    target: VoxelMask
    parts: BodyParts
    skin_structures: tuple[str, ...]
    outside: float

    @property
    def guessed(self) -> bool:
        """Whether no body was given."""
        return not self.skin_structures


def patient_of(segmentation: Segmentation) -> Patient:
    """The body of structures that have roles. Raises StructureError where there is no target, nothing beside
    it, a body that is none, or a target outside the body."""
    named, grid = segmentation.structures, segmentation.grid
    # By name, so that the order of the input never matters, not even where lungs overlap.
    filled = tuple(sorted((s for s in named if s.mask.count > 0), key=lambda s: s.name))
    target = target_of(named, grid)
    _refuse_nothing_but_target(named)
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
    """How the structures of a patient lie: what is said of those that lie otherwise than their names say, and
    the organs as they are placed in his body, taken with the target."""

    turned: tuple[str, ...]
    organs: tuple[OrganPlacement, ...]
    parts: BodyParts
    grid: Grid


def structure_placement(patient: Patient) -> StructurePlacement:
    """How the structures lie. Raises FrameMismatch where most lie otherwise than their names say, or outside
    the body."""
    remnants = {remnant.name for remnant in remnants_of(patient.structures, patient.grid)}
    judged = [s for s in patient.structures if s.name not in remnants]
    parts = joined_with_target(patient.parts, patient.target)
    turned = notes_on_orientation(judged, patient.grid)
    organs = organ_placements(patient.structures, parts, guessed=patient.guessed)
    return StructurePlacement(turned, organs, parts, patient.grid)


def notes_on_placement(frames: StructurePlacement, ends: ViewEnds | None) -> tuple[str, ...]:
    """What lies otherwise than its name says, or outside the body. `ends` are where his grid is made to end
    thereafter: None where it is not."""
    return (*frames.turned, *notes_on_outside(frames.organs, frames.parts, frames.grid, ends))


def _refuse_nothing_but_target(named: tuple[Structure, ...]) -> None:
    empty = [s.name for s in named if s.role is Role.SKIN and s.mask.count == 0]
    if empty:
        raise StructureError(empty[0], "the body structure is empty", "Segment it, or leave it out.")
    if all(s.role is Role.TARGET for s in named if s.mask.count > 0):
        raise StructureError(
            "input", "it holds nothing but the target", "Give the segmented organs and the body as well."
        )
