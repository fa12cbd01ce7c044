"""Angles of needles: in the axial plane, and out of it towards head or feet."""

import numpy as np
from jaxtyping import Float


def axial_angle_deg(direction: Float[np.ndarray, "3"]) -> float:
    """Angle in the axial plane of a needle driven along `direction` (LPS), in (-180, 180]. [deg]

    0 is driven from anterior straight to posterior; positive angles turn towards the patient's left.
    """
    return float(axial_angles_deg(direction[None])[0])


def craniocaudal_angle_deg(direction: Float[np.ndarray, "3"]) -> float:
    """Angle out of the axial plane of a needle driven along `direction` (LPS), positive to cranial. [deg]"""
    return float(craniocaudal_angles_deg(direction[None])[0])


def axial_angles_deg(directions: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """As `axial_angle_deg`, for many directions."""
    angles = np.degrees(np.arctan2(directions[:, 0], directions[:, 1]))
    return np.where(angles == -180.0, 180.0, angles)


def craniocaudal_angles_deg(directions: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """As `craniocaudal_angle_deg`, for many directions."""
    return np.asarray(np.degrees(np.arcsin(np.clip(directions[:, 2], -1.0, 1.0))))
