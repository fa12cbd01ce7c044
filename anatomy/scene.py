"""Scene: the patient as a planner sees him. Every structure has a role, and the pose is fixed.

    Segmentation --roles, targets, pose--> Scene

What was assumed is said: where the skin came from, and which forbidden organs the input lacks.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from anatomy.body import body_of
from anatomy.errors import StructureError
from anatomy.frames import Grid
from anatomy.pose import Bore, Pose, Position, derived_table, gravity_P
from anatomy.roles import expected_missing, is_known, role_of, words_of
from anatomy.structures import (
    InputDigest,
    Role,
    Segmentation,
    Structure,
    VoxelMask,
    mask_from_bool,
)

TABLE_WORDS = frozenset({"table", "couch", "bed"})
"""A structure outside the body with one of these words in its name is the table."""

DERIVE = "derive"

BELOW = 0.5
"""A table's middle lies beneath the patient's by more than this part of half his thickness [U]."""

MAX_TARGET_MM = 150.0
"""No target is longer than this along any axis of its grid: twice the largest of the source series (Dong
2021, 10.1111/1759-7714.13932). What is longer is an organ or the whole image, taken by mistake."""

MIN_TARGET_VOXELS = 4
"""Fewer voxels are a stray click, not a node: no seed position within them means anything [U]."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Structures with roles on one grid, the body, the pose, and what had to be assumed.

    `body` is everything inside the skin. `target` is the union of the target structures. Beyond the field
    of view the scene goes on as at its nearest voxel: a body cut by the edge goes on, unseen.
    """

    grid: Grid
    structures: tuple[Structure, ...]
    body: VoxelMask
    target: VoxelMask
    pose: Pose
    skin_source: str
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    inputs: tuple[InputDigest, ...]
    surface_slack_mm: float
    ct_hu: np.ndarray | None

    def of_role(self, *roles: Role) -> tuple[Structure, ...]:
        """Structures in any of these roles, by name."""
        return tuple(s for s in self.structures if s.role in roles)

    def structure(self, name: str) -> Structure:
        """The structure of that name. Raises StructureError when there is none."""
        for s in self.structures:
            if s.name == name:
                return s
        raise StructureError(name, "there is no such structure", f"Known: {', '.join(self.names())}.")

    def names(self) -> tuple[str, ...]:
        """Structure names, sorted."""
        return tuple(s.name for s in self.structures)


@dataclass(frozen=True)
class PoseInput:
    """Position, table and bore as asked for. `table` names a structure or is "derive"."""

    position: Position = Position.SUPINE
    rotation_deg: float = 0.0
    table: str = DERIVE
    bore_diameter_mm: float = 700.0


def scene(
    segmentation: Segmentation,
    targets: tuple[str, ...] = (),
    roles: Mapping[str, str] | None = None,
    pose: PoseInput | None = None,
) -> Scene:
    """Give every structure its role and set the patient in his pose.

    `targets` names the target structures; empty means those whose role is target. `roles` overrides the
    roles that names imply. Raises StructureError for an unknown name or role, an empty structure, no
    target, or a target outside the body.
    """
    asked = pose or PoseInput()
    overrides = _checked_roles(segmentation, targets, roles or {})
    if asked.table != DERIVE:
        if asked.table not in segmentation.names():
            raise StructureError(
                "pose/table", f"{asked.table!r} is not in the input", f"Name a structure, or use {DERIVE!r}."
            )
        overrides.setdefault(asked.table, Role.OUTSIDE)
    named = tuple(
        s.with_role(overrides.get(s.name) or s.role or role_of(s.name)) for s in segmentation.structures
    )
    # A target asked for by name is the only target: other lesions are then tissue like any other.
    if targets:
        named = tuple(
            s.with_role(Role.PASSABLE) if s.role is Role.TARGET and s.name not in targets else s
            for s in named
        )
    # By name, so that the order of the input never matters, not even where lungs overlap.
    filled = tuple(sorted((s for s in named if s.mask.count > 0), key=lambda s: s.name))
    target = _target(named, segmentation.grid)
    _refuse_nothing_but_target(named)
    body, skin_source = body_of(filled, segmentation.grid)
    _refuse_target_outside(target, body)
    return Scene(
        grid=segmentation.grid,
        structures=filled,
        body=body,
        target=target,
        pose=_pose(asked, filled, body, segmentation.grid),
        skin_source=skin_source,
        missing=expected_missing(s.name for s in filled),
        notes=_notes(segmentation, overrides),
        inputs=segmentation.inputs,
        surface_slack_mm=segmentation.surface_slack_mm,
        ct_hu=segmentation.ct_hu,
    )


def _checked_roles(
    segmentation: Segmentation, targets: tuple[str, ...], roles: Mapping[str, str]
) -> dict[str, Role]:
    known = segmentation.names()
    overrides: dict[str, Role] = {}
    for name, role in roles.items():
        if name not in known:
            raise StructureError(f"roles/{name}", "there is no such structure", f"Known: {', '.join(known)}.")
        try:
            overrides[name] = Role(role)
        except ValueError:
            raise StructureError(
                f"roles/{name}", f"{role!r} is no role", f"Use one of: {', '.join(Role)}."
            ) from None
    for name in targets:
        if name not in known:
            raise StructureError(
                "target/structure", f"{name!r} is not in the input", f"Known: {', '.join(known)}."
            )
        overrides[name] = Role.TARGET
    return overrides


def _notes(segmentation: Segmentation, overrides: Mapping[str, Role]) -> tuple[str, ...]:
    """What was assumed about structures, one sentence each."""
    empty = sorted(s.name for s in segmentation.structures if s.mask.count == 0)
    guessed = sorted(
        s.name
        for s in segmentation.structures
        if s.mask.count > 0 and s.role is None and s.name not in overrides and not is_known(s.name)
    )
    left_out = f"Empty and left out: {', '.join(empty)}."
    return (
        *((left_out,) if empty else ()),
        *(f"{name} is not a known name: taken as forbidden." for name in guessed),
    )


def _target(named: tuple[Structure, ...], grid: Grid) -> VoxelMask:
    chosen = [s for s in named if s.role is Role.TARGET]
    if not chosen:
        raise StructureError(
            "target/structure",
            "no structure is the target",
            "Name one of the input's structures, or give a target file.",
        )
    for s in chosen:
        if s.mask.count == 0:
            raise StructureError(
                f"target/structure {s.name}", "the structure is empty", "Segment it, or name another."
            )
    target = chosen[0].mask
    if len(chosen) > 1:
        union = np.zeros(grid.shape, dtype=bool)
        for s in chosen:
            s.mask.paint(union, True)
        target = mask_from_bool(union)
    if target.count < MIN_TARGET_VOXELS:
        raise StructureError(
            f"target/structure {', '.join(s.name for s in chosen)}",
            f"the target has {target.count} voxel{'s' if target.count > 1 else ''}",
            f"A target needs at least {MIN_TARGET_VOXELS}: segment it whole, or on a finer grid.",
        )
    longest_mm = float(((np.array(target.upper) - np.array(target.lower)) * grid.spacing_mm).max())
    if longest_mm > MAX_TARGET_MM:
        raise StructureError(
            f"target/structure {', '.join(s.name for s in chosen)}",
            f"the target is {longest_mm:.0f} mm long",
            f"A target is at most {MAX_TARGET_MM:.0f} mm long: name a node or lesion, not an organ.",
        )
    return target


def _refuse_nothing_but_target(named: tuple[Structure, ...]) -> None:
    empty = [s.name for s in named if s.role is Role.SKIN and s.mask.count == 0]
    if empty:
        raise StructureError(empty[0], "the body structure is empty", "Segment it, or leave it out.")
    if all(s.role is Role.TARGET for s in named if s.mask.count > 0):
        raise StructureError(
            "input", "it holds nothing but the target", "Give the segmented organs and the body as well."
        )


def _refuse_target_outside(target: VoxelMask, body: VoxelMask) -> None:
    inside = (body.layer[target.slices] == body.label) & target.cropped()
    share = np.count_nonzero(inside) / target.count
    if share < 0.5:
        raise StructureError(
            "target/structure",
            f"{100 * (1 - share):.0f} % of the target lies outside the body",
            "Check that target and body are in one frame, and that the body structure is whole.",
        )


def _pose(asked: PoseInput, structures: tuple[Structure, ...], body: VoxelMask, grid: Grid) -> Pose:
    gravity = gravity_P(asked.position, asked.rotation_deg)
    ends_P = _row_ends_P(body, grid)
    # A table that was segmented in another pose now stands beside or above the patient: he lies on another.
    middle = 0.5 * (ends_P.min(axis=0) + ends_P.max(axis=0))
    segmented = asked.table != DERIVE or any(
        s.role is Role.OUTSIDE
        and TABLE_WORDS & set(words_of(s.name))
        and float((_middle_P(s.mask, grid) - middle) @ gravity)
        > 0.5 * float(np.ptp(ends_P @ gravity)) * BELOW
        for s in structures
    )
    table = None if segmented else derived_table(ends_P, gravity)
    # The gantry's axis is taken along the patient's length, through the middle of the body: a segmentation
    # does not say where the isocentre was.
    centre = 0.5 * (ends_P.min(axis=0) + ends_P.max(axis=0))
    bore = Bore(centre, np.array([0.0, 0.0, 1.0]), asked.bore_diameter_mm / 2)
    return Pose(asked.position, asked.rotation_deg, table, bore)


def _middle_P(mask: VoxelMask, grid: Grid) -> Float[np.ndarray, "3"]:
    """The middle of a mask's bounding box. [mm]"""
    return grid.to_patient(0.5 * (np.array(mask.lower) + np.array(mask.upper) - 1) * grid.spacing_mm)


def _row_ends_P(body: VoxelMask, grid: Grid) -> Float[np.ndarray, "n 3"]:
    """Centres of the first and last body voxel of every row along i: whatever direction one looks in, the
    outermost body voxel is among them."""
    cropped = body.cropped()
    j, k = np.nonzero(cropped.any(axis=0))
    first = cropped.argmax(axis=0)[j, k]
    last = cropped.shape[0] - 1 - cropped[::-1].argmax(axis=0)[j, k]
    ends_V = np.stack([np.concatenate([first, last]), np.tile(j, 2), np.tile(k, 2)], axis=1)
    return grid.to_patient((ends_V + np.array(body.lower)) * grid.spacing_mm)
