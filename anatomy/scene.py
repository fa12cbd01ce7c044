"""Scene: the patient as the planner sees them. Every structure has a role, and the pose is fixed.

    Segmentation --roles, targets, pose--> Scene

The scene states what was assumed: the origin of the skin, and which forbidden organs and lung the input
lacks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from anatomy.errors import StructureError
from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from anatomy.names.did_you_mean import did_you_mean
from anatomy.patient.body.arms import notes_on_arms
from anatomy.patient.body.body_parts import joined_with_target, notes_on_parts, obstacles_of
from anatomy.patient.body.limbs import is_limb
from anatomy.patient.body.view_ends import cut_to_view, view_ends
from anatomy.patient.lung_voids import lung_voids
from anatomy.patient.notes import (
    note_on_other_lesions,
    note_on_skin,
    note_on_targets,
    notes_on_lung,
    notes_on_names,
    notes_on_place,
)
from anatomy.patient.patient import notes_on_placement, patient_of, structure_placement
from anatomy.patient.pose import Bore, Pose, Position, derived_table, gravity_P
from anatomy.patient.role_assignment import DERIVE, assign_roles, requested_roles, with_only_targets
from anatomy.patient.table import lies_below, notes_on_tables, row_ends_P, tables_of
from anatomy.patient.target import cut_sides
from anatomy.patient.target_parts import TargetPart, notes_on_parts_of, without_fragments
from anatomy.plausibility.expected_structures import expected_missing
from anatomy.plausibility.remnants import note_on_remnants, remnants_of, too_small_of
from anatomy.structures import InputDigest, Role, Segmentation, Structure


@dataclass(frozen=True, eq=False)
class Scene:
    """Structures with roles on one grid, the body, the pose, and what was assumed.

    `body` is everything inside the skin; separate parts of it are structures outside the body.
    `skin_structures` are those whose surface is the skin; none if it is guessed from all structures.
    `target` is the union of the target structures. Beyond the field of view the scene continues as at its
    nearest voxel: a body cut by the edge continues out of view.
    """

    grid: Grid
    structures: tuple[Structure, ...]
    body: VoxelMask
    target: VoxelMask
    pose: Pose
    skin_structures: tuple[str, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    inputs: tuple[InputDigest, ...]
    surface_slack_mm: float
    ct_hu: np.ndarray | None

    def of_role(self, *roles: Role) -> tuple[Structure, ...]:
        """Structures with one of these roles, by name."""
        return tuple(s for s in self.structures if s.role in roles)

    @cached_property
    def lung_voids(self) -> VoxelMask | None:
        """What the lungs enclose on all sides without being lung: see anatomy.patient.lung_voids."""
        return lung_voids((s.mask for s in self.of_role(Role.LUNG)), self.target)

    @cached_property
    def too_small(self) -> frozenset[str]:
        """Names of structures that are too small to be the organ of that name."""
        return too_small_of(self.structures, self.grid)

    def structure(self, name: str) -> Structure:
        """The structure of that name. Raises StructureError if there is none."""
        for s in self.structures:
            if s.name == name:
                return s
        raise StructureError(name, "there is no such structure", did_you_mean(name, self.names()))

    def names(self) -> tuple[str, ...]:
        """Structure names, sorted."""
        return tuple(s.name for s in self.structures)


@dataclass(frozen=True)
class PoseInput:
    """The requested position, table and bore. `table` names a structure or is "derive"."""

    position: Position = Position.SUPINE
    rotation_deg: float = 0.0
    table: str = DERIVE
    bore_diameter_mm: float = 700.0

    @property
    def gravity_P(self) -> Float[np.ndarray, "3"]:
        """Unit vector of gravity in P."""
        return gravity_P(self.position, self.rotation_deg)


def scene(
    segmentation: Segmentation,
    targets: tuple[str, ...] = (),
    roles: Mapping[str, str] | None = None,
    pose: PoseInput | None = None,
) -> Scene:
    """Assign roles to all structures and put the patient into the pose.

    `targets` names the target structures; empty means those with the role target. `roles` overrides the roles
    that names imply. Raises StructureError for an unknown name or role, contradicting roles, an empty
    structure, no target, or a target outside the body; FrameMismatch if all organs lie outside the body, or
    contradict their names. If the body has a flat end before the grid's edge, the scene's grid is cut there,
    and what lies beyond is left out and named.
    """
    pose = pose or PoseInput()
    overrides = requested_roles(segmentation, targets, roles or {}, pose.table)
    with_roles = assign_roles(segmentation, overrides)
    others: tuple[str, ...] = ()
    if targets:
        before, with_roles = with_roles, with_only_targets(with_roles, targets)
        others = note_on_other_lesions(_roles_of(before), _roles_of(with_roles))
    with_roles, notes_on_target_parts = _without_fragments(with_roles, segmentation.grid)
    in_view = replace(segmentation, structures=with_roles)
    uncut = patient = patient_of(in_view)
    # Placement is judged on the whole input: what lies beyond a flat end may be misplaced.
    placement = structure_placement(uncut)
    limbs = [s.mask for s in uncut.structures if is_limb(s)]
    ends = view_ends(uncut.parts, limbs, uncut.target, uncut.grid, guessed=uncut.guessed)
    if ends is not None:
        in_view = cut_to_view(in_view, ends)
        patient = patient_of(in_view)
    beyond = None if ends is None else uncut.parts.beyond(ends.axis, ends.first, ends.stop)
    grid, parts = patient.grid, joined_with_target(patient.parts, patient.target)
    remnants = remnants_of(patient.structures, grid)
    remnant_names = {remnant.name for remnant in remnants}
    obstacles = obstacles_of(parts, segmentation.names())
    filled = tuple(sorted((*patient.structures, *obstacles), key=lambda s: s.name))
    tables = tables_of(filled, pose.table)
    final_roles = _roles_of(filled)
    missing = expected_missing(
        {name: role for name, role in final_roles.items() if name not in remnant_names}
    )
    return Scene(
        grid=grid,
        structures=filled,
        body=parts.body,
        target=patient.target,
        pose=_pose(pose, tables, parts.body, grid),
        skin_structures=patient.skin_structures,
        missing=missing,
        notes=(
            *in_view.notes,
            *notes_on_names(segmentation, overrides),
            *others,
            *note_on_skin(patient.skin_structures),
            *note_on_targets(final_roles),
            *notes_on_target_parts,
            *notes_on_place(patient.outside, cut_sides(patient.target, grid)),
            *note_on_remnants(remnants),
            *notes_on_lung(final_roles, missing),
            *notes_on_placement(placement, ends),
            *notes_on_parts(parts, obstacles, beyond, grid),
            *notes_on_arms(filled, parts.body, grid),
            *notes_on_tables(tables, parts.body, grid, pose.position, pose.gravity_P),
        ),
        inputs=segmentation.inputs,
        surface_slack_mm=segmentation.surface_slack_mm,
        ct_hu=in_view.ct_hu,
    )


def _roles_of(structures: tuple[Structure, ...]) -> dict[str, Role]:
    """Roles of the structures that hold voxels, by name."""
    return {s.name: s.role for s in structures if s.role is not None and s.mask.count > 0}


def _without_fragments(
    structures: tuple[Structure, ...], grid: Grid
) -> tuple[tuple[Structure, ...], tuple[str, ...]]:
    """The structures, with targets without their fragments, and notes on the targets' parts."""
    remaining: list[Structure] = []
    notes: list[str] = []
    for s in structures:
        parts: tuple[TargetPart, ...] = ()
        if s.role is Role.TARGET and s.mask.count > 0:
            s, parts = without_fragments(s, grid)
        remaining.append(s)
        notes += notes_on_parts_of(s.name, parts)
    return tuple(remaining), tuple(sorted(notes))


def _pose(requested: PoseInput, tables: tuple[Structure, ...], body: VoxelMask, grid: Grid) -> Pose:
    gravity, ends_P = requested.gravity_P, row_ends_P(body, grid)
    # A table segmented in another pose would now be next to the patient or above: another table is derived.
    segmented = any(lies_below(s.mask, ends_P, gravity, grid) for s in tables)
    table = None if segmented else derived_table(ends_P, gravity)
    # The gantry's axis is assumed along the patient's length, through the middle of the body: a segmentation
    # does not contain the isocentre.
    centre = 0.5 * (ends_P.min(axis=0) + ends_P.max(axis=0))
    bore = Bore(centre, np.array([0.0, 0.0, 1.0]), requested.bore_diameter_mm / 2)
    return Pose(requested.position, requested.rotation_deg, table, bore)
