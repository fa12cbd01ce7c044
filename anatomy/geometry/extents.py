"""Extents: surfaces that are too large, or too far apart, for one patient. Mesh files state no unit and no
frame."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from anatomy.errors import FrameMismatch, SurfaceError
from anatomy.geometry.frames import MAX_OFFSET_MM
from anatomy.geometry.surface import Surface

MAX_EXTENT_MM = 2500.0
"""A patient with the table is not longer [U]. A body in um is."""


def refuse_absurd_extent(file: str, vertices_P: Float[np.ndarray, "v 3"]) -> None:
    """Raise SurfaceError if one surface is larger than a patient, or farther from the origin than any
    scanner."""
    low, high = vertices_P.min(axis=0), vertices_P.max(axis=0)
    away_mm = max(float(np.abs(low).max()), float(np.abs(high).max()))
    if away_mm > MAX_OFFSET_MM:
        raise SurfaceError(
            file, f"the surface lies {away_mm / 1000:.3g} m from the origin", "Check that it is in mm."
        )
    longest_mm = float((high - low).max())
    if longest_mm > MAX_EXTENT_MM:
        raise SurfaceError(
            file,
            f"the surface is {longest_mm:.0f} mm long",
            f"No surface of a patient is longer than {MAX_EXTENT_MM:.0f} mm: check that it is in mm.",
        )


def refuse_far_apart(surfaces: Mapping[str, Surface]) -> None:
    """Raise FrameMismatch if the surfaces (by file name) together extend over more than a patient. The error
    names the surface that is farthest from the others."""
    if not surfaces:
        return
    low = np.array([s.vertices_P.min(axis=0) for s in surfaces.values()])
    high = np.array([s.vertices_P.max(axis=0) for s in surfaces.values()])
    reach_mm = float((high.max(axis=0) - low.min(axis=0)).max())
    if reach_mm <= MAX_EXTENT_MM:
        return
    middle = 0.5 * (low + high)
    apart_mm = np.linalg.norm(middle - np.median(middle, axis=0), axis=1)
    raise FrameMismatch(
        list(surfaces)[int(np.argmax(apart_mm))],
        f"the surface lies {apart_mm.max():.0f} mm from the middle of the others",
        f"Together they extend over {reach_mm:.0f} mm: check that all are in LPS mm and from one scan.",
    )
