"""Structures: a named part of the patient with its role, as voxels and as a surface where it came as one."""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask
from anatomy.geometry.surface import Surface


class Role(StrEnum):
    """What a structure means to a needle."""

    TARGET = "target"
    SKIN = "skin"
    FORBIDDEN = "forbidden"
    LUNG = "lung"
    PASSABLE = "passable"
    OUTSIDE = "outside"
    """Blocked, and no part of the body: table, vacuum cushion, arms."""


@dataclass(frozen=True, eq=False)
class Structure:
    """A named part of the scene. `surface` is its original form where it came as a mesh; `mask` then is
    what the mesh touches on the scene's grid."""

    name: str
    mask: VoxelMask
    role: Role | None = None
    surface: Surface | None = None

    def with_role(self, role: Role) -> "Structure":
        """The same structure in another role."""
        return replace(self, role=role)


@dataclass(frozen=True)
class InputDigest:
    """Which bytes went in: a name without any folder, and the sha256 of the content in hex. `axes` are those
    that a surface's numbers were read in, "lps" or "ras"; None where the file is no surface."""

    name: str
    sha256: str
    axes: str | None = None


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What a reader returns: named structures on one grid, not yet given roles.

    `surface_slack_mm` bounds how far a mask may reach beyond the surface it stands for: 0.0 where the
    input was voxels. `ct_hu` is CT on the same grid, where given. `notes` are sentences on what a reader
    took, passed over or decided.
    """

    grid: Grid
    structures: tuple[Structure, ...]
    inputs: tuple[InputDigest, ...]
    surface_slack_mm: float = 0.0
    ct_hu: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """Structure names, in order."""
        return tuple(s.name for s in self.structures)
