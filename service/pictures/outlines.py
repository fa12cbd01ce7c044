"""Anatomy on a slice: CT or filled structures, outlines by role, names, direction letters and a scale bar."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patheffects import AbstractPathEffect, withStroke
from scipy import ndimage

from anatomy.scene import Scene
from anatomy.structures import Role, Structure
from service.pictures.oblique_slice import Slice, inside, sampled
from service.pictures.palette import OF_ROLE, STYLE_OF_ROLE

PIXEL_MM = 0.5
WINDOW_HU = (-900.0, 500.0)
"""Wide enough to see lung vessels and the mediastinum in one picture [U]."""
SCALE_BAR_MM = 20.0
LARGEST_NAMED = 7
"""Names in one slice: more would hide what they name."""
SMALLEST_NAMED_MM2 = 60.0
UNNAMED = (Role.SKIN, Role.TARGET)
"""The skin needs no name, and a name would hide the seeds in the target: the title has it."""
BEYOND = "#E4E4E4"
"""Beyond the field of view of the CT."""

HALO: list[AbstractPathEffect] = [withStroke(linewidth=2.2, foreground="white")]

Region = tuple[Structure, Float[np.ndarray, "rows columns"]]
"""A structure and how far inside it each pixel of a slice is, 0 to 1."""


def spoken(name: str) -> str:
    """A structure's name as people write it."""
    return name.replace("_", " ")


def draw_anatomy(axes: Axes, plane: Slice, scene: Scene) -> list[Region]:
    """CT or filled structures, and outlines by role; returns what the slice cuts, skin first."""
    where_P = plane.pixels_P(PIXEL_MM)
    extent = (-plane.half_mm, plane.half_mm, -plane.half_mm, plane.half_mm)
    if scene.ct_hu is not None:
        axes.set_facecolor(BEYOND)
        hu = sampled(scene.ct_hu, scene.grid, where_P)
        axes.imshow(hu, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], origin="lower", extent=extent)
    regions: list[Region] = []
    for structure in _back_to_front(scene):
        role = structure.role or Role.PASSABLE
        share = inside(structure.mask, scene.grid, where_P)
        if not (share >= 0.5).any():
            continue
        regions.append((structure, share))
        if scene.ct_hu is None:
            axes.contourf(share, levels=[0.5, 2.0], colors=[OF_ROLE[role]], alpha=0.22, extent=extent)
        axes.contour(
            share,
            levels=[0.5],
            colors=[OF_ROLE[role]],
            linestyles=STYLE_OF_ROLE[role],
            linewidths=1.8 if role is Role.TARGET else 1.1,
            extent=extent,
        )
    return regions


def roles_seen(regions: list[Region]) -> set[Role]:
    """The roles of what a slice cuts."""
    return {structure.role or Role.PASSABLE for structure, _ in regions}


def _back_to_front(scene: Scene) -> list[Structure]:
    """Skin first and the target last, so that nothing covers what matters most."""
    order = [Role.SKIN, Role.OUTSIDE, Role.PASSABLE, Role.LUNG, Role.FORBIDDEN, Role.TARGET]
    return sorted(scene.structures, key=lambda s: order.index(s.role or Role.PASSABLE))


def draw_names(
    axes: Axes, plane: Slice, regions: list[Region], first: set[str], name_boxes: list[np.ndarray]
) -> None:
    """Names of the structures in `first` and of the largest ones cut. They keep off `name_boxes`. [mm]"""
    n = regions[0][1].shape[0] if regions else 0
    pixel_mm2 = (2 * plane.half_mm / max(n, 1)) ** 2
    sized = sorted(
        (
            (float((share >= 0.5).sum()) * pixel_mm2, s, share)
            for s, share in regions
            if s.role not in UNNAMED
        ),
        key=lambda item: (item[1].name not in first, -item[0]),
    )
    most = len(name_boxes) + LARGEST_NAMED - 1
    name_boxes = list(name_boxes)
    line_mm, letter_mm = 0.06 * plane.half_mm, 0.0185 * plane.half_mm
    for area, structure, share in sized:
        if area < SMALLEST_NAMED_MM2 or len(name_boxes) > most:
            continue
        at, text = _inner_point(share >= 0.5, plane), spoken(structure.name)
        width_mm = letter_mm * len(text)
        room = plane.half_mm - width_mm / 2 - line_mm / 2
        at[0] = float(np.clip(at[0], -room, room))
        if not any(abs(at[1] - p[1]) < line_mm and abs(at[0] - p[0]) < width_mm for p in name_boxes):
            name_boxes.append(at)
            axes.text(at[0], at[1], text, fontsize=6.5, ha="center", va="center", path_effects=HALO)


def _inner_point(region: np.ndarray, plane: Slice) -> Float[np.ndarray, "2"]:
    """The point of a region that is farthest from its outline, on the page. [mm]"""
    depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
    step = 2 * plane.half_mm / region.shape[0]
    return np.asarray((np.array([float(column), float(row)]) + 0.5) * step - plane.half_mm)


def scale_bar(plane: Slice) -> Float[np.ndarray, "2"]:
    """The middle of the scale bar, on the page. [mm]"""
    return np.array([-0.92 * plane.half_mm + SCALE_BAR_MM / 2, -0.9 * plane.half_mm])


def draw_frame(axes: Axes, plane: Slice, name: str) -> None:
    """Direction letters, the scale bar and the slice's name; no ticks."""
    h = plane.half_mm
    axes.set(xlim=(-h, h), ylim=(-h, h), aspect="equal", xticks=[], yticks=[])
    axes.set_title(name, fontsize=9)
    letters = plane.letters()
    places = {"left": (-0.95, 0.0), "right": (0.95, 0.0), "top": (0.0, 0.95), "bottom": (0.0, -0.95)}
    for edge, (x, y) in places.items():
        axes.text(
            x * h, y * h, letters[edge], fontsize=10, fontweight="bold", ha="center", va="center",
            path_effects=HALO, zorder=8,
        )  # fmt: skip
    x, y = scale_bar(plane) - [SCALE_BAR_MM / 2, 0.0]
    axes.plot(
        [x, x + SCALE_BAR_MM],
        [y, y],
        color="black",
        linewidth=3,
        path_effects=[withStroke(linewidth=6.0, foreground="white")],
        zorder=8,
        solid_capstyle="butt",
    )
    axes.text(
        x, y + 0.025 * h, f"{SCALE_BAR_MM:.0f} mm", fontsize=8, va="bottom", path_effects=HALO, zorder=8
    )


def outlines_legend(roles: set[Role]) -> list[Line2D]:
    """A line for each role seen, in the palette's order."""
    return [
        Line2D([], [], color=OF_ROLE[r], linestyle=STYLE_OF_ROLE[r], linewidth=1.8, label=r.value)
        for r in OF_ROLE
        if r in roles
    ]
