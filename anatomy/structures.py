"""Structures: named parts of the patient with a role, as voxels, and as a surface if it was given as one."""

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
    """Blocked, and not part of the body: table, vacuum cushion, arms."""


@dataclass(frozen=True, eq=False)
class Structure:
    """A named part of the scene. `surface` is its original form if it was given as a mesh; `mask` then holds
    the voxels of the scene's grid that the mesh touches."""

    name: str
    mask: VoxelMask
    role: Role | None = None
    surface: Surface | None = None

    def with_role(self, role: Role) -> "Structure":
        """The same structure with another role."""
        return replace(self, role=role)


@dataclass(frozen=True)
class InputDigest:
    """An input file: its name without folders, and the sha256 of its content in hex. `axes` are the patient
    axes in which a surface was read, "lps" or "ras"; None if the file is not a surface."""

    name: str
    sha256: str
    axes: str | None = None


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What a reader returns: named structures on one grid, without roles yet.

    `surface_slack_mm` is the farthest that a mask may extend beyond its surface: 0.0 if the input was voxels.
    `ct_hu` is CT on the same grid, if given. `notes` are sentences on what a reader used, ignored or decided.
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
