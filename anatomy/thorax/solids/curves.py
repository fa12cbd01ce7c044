"""Curves: smooth centrelines through a few anatomical points."""

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline

STEP_MM = 8.0
"""Length of the straight pieces of a curve: at a radius of curvature of 15 mm, the smallest here, a piece
stays within 0.6 mm of its arc."""


def smooth(points_P: Float[np.ndarray, "m 3"]) -> Float[np.ndarray, "n 3"]:
    """A cubic spline through points (m, 3), as a polyline (n, 3) of pieces of about STEP_MM. [mm]

    The parameter is the square root of the chord (centripetal), so that the curve does not overshoot where
    points are unevenly spaced.
    """
    chords = np.linalg.norm(np.diff(points_P, axis=0), axis=1)
    at = np.concatenate([[0.0], np.cumsum(np.sqrt(chords))])
    pieces = max(1, int(np.ceil(chords.sum() / STEP_MM)))
    spline = CubicSpline(at, points_P, bc_type="natural")
    return np.asarray(spline(np.linspace(0.0, at[-1], pieces + 1)))
