"""Same grid: check that two inputs share one, with an error that shows the difference."""

import numpy as np

from anatomy.errors import FrameMismatch
from anatomy.geometry.frames import Grid

_RESAMPLE = "Resample it onto the other's grid, with nearest neighbour for masks and labels."


def refuse_other_grid(file: str, own: Grid, other_file: str, other: Grid) -> None:
    """Raise FrameMismatch if `own` is not the grid `other` by `Grid.same_as`.

    The error shows numbers that differ: the shapes; else the distance between the two positions of a voxel,
    and spacings, origins or directions, whichever differ most.
    """
    if own.same_as(other):
        return
    start = f"it is on another grid than {other_file}"
    if own.shape != other.shape:
        raise FrameMismatch(file, f"{start}: {_size(own)} voxels, not {_size(other)}", _RESAMPLE)
    apart = f"the same voxel is up to {own.largest_offset_mm(other):.4g} mm away"
    differences = {
        f"spacing {_numbers(own.spacing_mm, other.spacing_mm)} mm": _relative(own, other),
        f"LPS origin {_numbers(own.origin_P, other.origin_P)} mm": float(
            np.abs(own.origin_P - other.origin_P).max()
        ),
        f"axes rotated by {_angle_deg(own, other):.2g} degrees": np.radians(_angle_deg(own, other))
        * _extent(own),
    }
    most = max(differences, key=lambda text: differences[text])
    raise FrameMismatch(file, f"{start}: {apart} ({most})", _RESAMPLE)


def _size(grid: Grid) -> str:
    return " x ".join(map(str, grid.shape))


def _extent(grid: Grid) -> float:
    """The grid's diagonal. [mm]"""
    return float(np.linalg.norm(grid.upper_B - grid.lower_B))


def _relative(own: Grid, other: Grid) -> float:
    """How far a difference in spacing moves the last voxel. [mm]"""
    return float((np.abs(own.spacing_mm - other.spacing_mm) * np.array(own.shape)).max())


def _angle_deg(own: Grid, other: Grid) -> float:
    """The largest angle between an axis of one and the same axis of the other. [degrees]"""
    cosines = np.sum(own.R_PB * other.R_PB, axis=0)
    sines = np.linalg.norm(np.cross(own.R_PB, other.R_PB, axis=0), axis=0)
    return float(np.degrees(np.arctan2(sines, cosines)).max())


def _numbers(own: np.ndarray, other: np.ndarray) -> str:
    """Both triples, with as many digits as show the difference: "0.8, 0.8, 5.0001, not 0.8, 0.8, 5"."""
    for digits in range(4, 17):
        texts = [", ".join(f"{n:.{digits}g}" for n in triple) for triple in (own, other)]
        if texts[0] != texts[1]:
            break
    return f"{texts[0]}, not {texts[1]}"
