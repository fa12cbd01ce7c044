"""Oblique slices that contain a needle: which plane, how it lies on the page, and what it cuts.

Two planes are shown that hold the needle's axis d, the direction from entry to tip: the one nearest to
axial, whose normal n is the part of "superior" across d; and the one across it, spanned by d and n.

    v (up on the page)
    |
    +---- u (right on the page)
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import VoxelMask

LETTERS = (("L", "R"), ("P", "A"), ("S", "I"))
"""Patient directions along +axis and -axis of LPS."""

SECOND_LETTER_FROM = 0.35
"""A page direction more than about 20 degrees off an axis names the second axis too."""

AXIAL_IF_COSINE_UP_TO = 0.95
"""A needle within 18 degrees of the long axis has no near-axial plane: the sagittal one stands in."""

LEFT, POSTERIOR, SUPERIOR = np.eye(3)


@dataclass(frozen=True, eq=False)
class Slice:
    """A plane through `centre_P`, with unit page directions `u_P` (right) and `v_P` (up), out to
    `half_mm` on each side."""

    centre_P: Float[np.ndarray, "3"]
    u_P: Float[np.ndarray, "3"]
    v_P: Float[np.ndarray, "3"]
    half_mm: float

    def on_page(self, p_P: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 2"]:
        """Where points fall on the page. [mm from the centre]"""
        return np.asarray((p_P - self.centre_P) @ np.stack([self.u_P, self.v_P], axis=1))

    def off_page_mm(self, p_P: Float[np.ndarray, "3"]) -> float:
        """How far a point lies off the page, positive towards the viewer. [mm]"""
        return float((p_P - self.centre_P) @ np.cross(self.u_P, self.v_P))

    def pixels_P(self, step_mm: float) -> Float[np.ndarray, "rows columns 3"]:
        """Centres of square pixels, the first row at the bottom. [mm]"""
        n = max(2, round(2 * self.half_mm / step_mm))
        at = (np.arange(n) + 0.5) * (2 * self.half_mm / n) - self.half_mm
        return np.asarray(self.centre_P + at[None, :, None] * self.u_P + at[:, None, None] * self.v_P)

    def letters(self) -> dict[str, str]:
        """The patient direction at each edge of the page: keys right, left, top, bottom."""
        return {
            "right": direction_letters(self.u_P),
            "left": direction_letters(-self.u_P),
            "top": direction_letters(self.v_P),
            "bottom": direction_letters(-self.v_P),
        }


def direction_letters(d_P: Float[np.ndarray, "3"]) -> str:
    """A unit direction as letters, the strongest first: "L", or "LP" when it leans."""
    order = np.argsort(-np.abs(d_P), kind="stable")
    axes = [a for n, a in enumerate(order) if n == 0 or abs(d_P[a]) > SECOND_LETTER_FROM]
    return "".join(LETTERS[int(a)][0 if d_P[a] > 0 else 1] for a in axes)


def along_needle(
    centre_P: Float[np.ndarray, "3"], d_P: Float[np.ndarray, "3"], half_mm: float
) -> tuple[Slice, Slice]:
    """The slice nearest to axial that holds the axis through `centre_P` along `d_P`, and the one across it.

    The first is laid out as CT is read: seen from the feet, patient's left on the right of the page and
    anterior up. The second has superior up, and patient's left or posterior on the right.
    """
    up = SUPERIOR if abs(float(d_P @ SUPERIOR)) <= AXIAL_IF_COSINE_UP_TO else LEFT
    n_P = up - (up @ d_P) * d_P
    n_P /= np.linalg.norm(n_P)
    across_P = np.cross(n_P, d_P)
    return _laid_out(centre_P, d_P, across_P, half_mm), _laid_out(centre_P, d_P, n_P, half_mm)


def _laid_out(
    centre_P: Float[np.ndarray, "3"],
    a_P: Float[np.ndarray, "3"],
    b_P: Float[np.ndarray, "3"],
    half_mm: float,
) -> Slice:
    """The plane of orthonormal a and b, turned on the page as a radiologist expects it."""
    normal = np.cross(a_P, b_P)
    wanted_up = -POSTERIOR if abs(normal[2]) >= max(abs(normal[0]), abs(normal[1])) else SUPERIOR
    v_P = wanted_up - (wanted_up @ normal) * normal
    v_P /= np.linalg.norm(v_P)
    u_P = np.cross(v_P, normal)
    strongest = 0 if abs(u_P[0]) >= abs(u_P[1]) else 1
    return Slice(centre_P, u_P if u_P[strongest] > 0 else -u_P, v_P, half_mm)


def sampled(
    values: np.ndarray, grid: Grid, where_P: Float[np.ndarray, "rows columns 3"]
) -> Float[np.ndarray, "rows columns"]:
    """Linear interpolation of a volume on `grid`; NaN outside the field of view."""
    index = np.moveaxis(grid.to_box(where_P) / grid.spacing_mm, -1, 0)
    return np.asarray(
        ndimage.map_coordinates(values.astype(np.float64), index, order=1, mode="constant", cval=np.nan)
    )


def inside(
    mask: VoxelMask, grid: Grid, where_P: Float[np.ndarray, "rows columns 3"]
) -> Float[np.ndarray, "rows columns"]:
    """How far inside a mask, 0 to 1: its contour at 0.5 is the mask's smooth outline."""
    index = np.moveaxis(grid.to_box(where_P) / grid.spacing_mm, -1, 0)
    cropped: Bool[np.ndarray, "mx my mz"] = np.pad(mask.cropped(), 1)
    first = np.array(mask.lower)[:, None, None] - 1
    return np.asarray(ndimage.map_coordinates(cropped.astype(np.float32), index - first, order=1, cval=0.0))
