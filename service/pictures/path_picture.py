"""The picture of one path: the two oblique slices that contain the needle, with all of it drawn to scale."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Polygon
from matplotlib.patheffects import withStroke
from scipy import ndimage

from anatomy.scene import Scene
from anatomy.structures import Role, Structure
from planner.records import Path, Plan
from planner.request import SEED_DIAMETER_MM, SEED_LENGTH_MM
from service.pictures.oblique import Slice, along_needle, inside, sampled
from service.pictures.palette import NEEDLE, OF_ROLE, SEED, STYLE_OF_ROLE

PIXEL_MM = 0.5
MARGIN_MM, SMALLEST_HALF_MM = 30.0, 70.0
"""How much is shown around the needle inside the body [U]."""
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

_HALO = [withStroke(linewidth=2.2, foreground="white")]


def path_figure(plan: Plan, path: Path, scene: Scene) -> Figure:
    """Two slices side by side, with a title that says what the path costs, and a legend."""
    entry_P, tip_P, d_P = (np.array(p) for p in (path.entry_mm, path.tip_mm, path.direction))
    half_mm = max(SMALLEST_HALF_MM, path.length_mm / 2 + MARGIN_MM)
    figure = Figure(figsize=(11.0, 6.6), dpi=200, layout="constrained")
    left, right = figure.subplots(1, 2)
    slices = along_needle((entry_P + tip_P) / 2, d_P, half_mm)
    names = ("Oblique slice nearest to axial", "Oblique slice across it")
    roles: set[Role] = set()
    for axes, plane, name in zip((left, right), slices, names, strict=True):
        roles |= _draw_anatomy(axes, plane, scene, path)
        _draw_needle(axes, plane, plan, path)
        _draw_frame(axes, plane, name)
    figure.suptitle(_title(plan, path, scene), fontsize=11)
    figure.legend(handles=_legend(roles), loc="outside lower center", ncols=8, frameon=False, fontsize=8.5)
    return figure


def _title(plan: Plan, path: Path, scene: Scene) -> str:
    targets = " and ".join(_spoken(s.name) for s in scene.of_role(Role.TARGET))
    window = next((w.name for w in plan.windows if w.id == path.window), path.window)
    nearest = f" to {_spoken(path.nearest_structure)}" if path.nearest_structure else ""
    return (
        f"Path {path.rank} to {targets}: {window}\n"
        f"lung {path.lung_length_mm:.1f} mm, clearance {path.clearance_mm:.1f} mm{nearest}, "
        f"depth {path.length_mm:.0f} mm"
    )


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _draw_anatomy(axes: Axes, plane: Slice, scene: Scene, path: Path) -> set[Role]:
    """CT or filled structures, outlines by role, and names; returns the roles seen."""
    where_P = plane.pixels_P(PIXEL_MM)
    extent = (-plane.half_mm, plane.half_mm, -plane.half_mm, plane.half_mm)
    if scene.ct_hu is not None:
        axes.set_facecolor(BEYOND)
        hu = sampled(scene.ct_hu, scene.grid, where_P)
        axes.imshow(hu, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], origin="lower", extent=extent)
    seen: set[Role] = set()
    regions: list[tuple[Structure, Float[np.ndarray, "rows columns"]]] = []
    for structure in _back_to_front(scene):
        role = structure.role or Role.PASSABLE
        share = inside(structure.mask, scene.grid, where_P)
        if not (share >= 0.5).any():
            continue
        seen.add(role)
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
    _draw_names(axes, plane, regions, path)
    return seen


def _back_to_front(scene: Scene) -> list[Structure]:
    """Skin first and the target last, so that nothing covers what matters most."""
    order = [Role.SKIN, Role.OUTSIDE, Role.PASSABLE, Role.LUNG, Role.FORBIDDEN, Role.TARGET]
    return sorted(scene.structures, key=lambda s: order.index(s.role or Role.PASSABLE))


def _draw_names(
    axes: Axes, plane: Slice, regions: list[tuple[Structure, Float[np.ndarray, "rows columns"]]], path: Path
) -> None:
    """Names of the largest structures cut, of the nearest one and of those the needle crosses."""
    n = regions[0][1].shape[0] if regions else 0
    pixel_mm2 = (2 * plane.half_mm / max(n, 1)) ** 2
    crossed = {c.structure for c in path.crosses} | {path.nearest_structure}
    sized = sorted(
        (
            (float((share >= 0.5).sum()) * pixel_mm2, s, share)
            for s, share in regions
            if s.role not in UNNAMED
        ),
        key=lambda item: (item[1].name not in crossed, -item[0]),
    )
    taken = [text for _, _, text in _marks(plane, path)]
    line_mm, letter_mm = 0.06 * plane.half_mm, 0.0185 * plane.half_mm
    for area, structure, share in sized:
        if area < SMALLEST_NAMED_MM2 or len(taken) > LARGEST_NAMED + 1:
            continue
        at, text = _inner_point(share >= 0.5, plane), _spoken(structure.name)
        width_mm = letter_mm * len(text)
        room = plane.half_mm - width_mm / 2 - line_mm / 2
        at[0] = float(np.clip(at[0], -room, room))
        if not any(abs(at[1] - p[1]) < line_mm and abs(at[0] - p[0]) < width_mm for p in taken):
            taken.append(at)
            axes.text(at[0], at[1], text, fontsize=6.5, ha="center", va="center", path_effects=_HALO)


def _inner_point(region: np.ndarray, plane: Slice) -> Float[np.ndarray, "2"]:
    """The point of a region that is farthest from its outline, on the page. [mm]"""
    depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
    step = 2 * plane.half_mm / region.shape[0]
    return np.asarray((np.array([float(column), float(row)]) + 0.5) * step - plane.half_mm)


def _bar(
    plane: Slice, from_P: Float[np.ndarray, "3"], to_P: Float[np.ndarray, "3"], width_mm: float
) -> Float[np.ndarray, "4 2"]:
    """Corners on the page of a bar of that width between two points of the slice. [mm]"""
    a, b = plane.on_page(from_P), plane.on_page(to_P)
    along = (b - a) / np.linalg.norm(b - a)
    side = 0.5 * width_mm * np.array([-along[1], along[0]])
    return np.stack([a + side, b + side, b - side, a - side])


def _draw_needle(axes: Axes, plane: Slice, plan: Plan, path: Path) -> None:
    """The needle over its whole length, its seeds, entry and tip, in true size."""
    tip_P, d_P = np.array(path.tip_mm), np.array(path.direction)
    needle = plan.request.needle
    outer_P = tip_P - needle.max_length_mm * d_P
    shaft = _bar(plane, outer_P, tip_P, needle.outer_diameter_mm)
    axes.add_patch(Polygon(shaft, closed=True, facecolor=NEEDLE, edgecolor="black", linewidth=0.35, zorder=5))
    for seed in path.seeds:
        centre_P, axis_P = np.array(seed.position_mm), np.array(seed.axis)
        ends = centre_P - 0.5 * SEED_LENGTH_MM * axis_P, centre_P + 0.5 * SEED_LENGTH_MM * axis_P
        bar = _bar(plane, *ends, SEED_DIAMETER_MM)
        axes.add_patch(Polygon(bar, closed=True, facecolor=SEED, edgecolor="white", linewidth=0.3, zorder=6))
    for name, at, text in _marks(plane, path):
        axes.annotate(
            name,
            xy=(at[0], at[1]),
            xytext=(text[0], text[1]),
            fontsize=8,
            fontweight="bold",
            ha="center",
            va="center",
            path_effects=_HALO,
            zorder=7,
            arrowprops={"arrowstyle": "-", "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0},
        )


def _marks(plane: Slice, path: Path) -> tuple[tuple[str, np.ndarray, np.ndarray], ...]:
    """Entry and tip: their names, where they are on the page, and where the name goes beside them. [mm]"""
    entry, tip = plane.on_page(np.array(path.entry_mm)), plane.on_page(np.array(path.tip_mm))
    along = (tip - entry) / np.linalg.norm(tip - entry)
    beside = 7.0 * np.array([along[1], -along[0]])
    return ("entry", entry, entry + beside - 5.0 * along), ("tip", tip, tip + beside + 5.0 * along)


def _draw_frame(axes: Axes, plane: Slice, name: str) -> None:
    """Direction letters, the scale bar and the slice's name; no ticks."""
    h = plane.half_mm
    axes.set(xlim=(-h, h), ylim=(-h, h), aspect="equal", xticks=[], yticks=[])
    axes.set_title(name, fontsize=9)
    letters = plane.letters()
    places = {"left": (-0.95, 0.0), "right": (0.95, 0.0), "top": (0.0, 0.95), "bottom": (0.0, -0.95)}
    for edge, (x, y) in places.items():
        axes.text(
            x * h, y * h, letters[edge], fontsize=10, fontweight="bold", ha="center", va="center",
            path_effects=_HALO, zorder=8,
        )  # fmt: skip
    x, y = -0.92 * h, -0.9 * h
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
        x, y + 0.025 * h, f"{SCALE_BAR_MM:.0f} mm", fontsize=8, va="bottom", path_effects=_HALO, zorder=8
    )


def _legend(roles: set[Role]) -> list[Line2D | Patch]:
    outlines: list[Line2D | Patch] = [
        Line2D([], [], color=OF_ROLE[r], linestyle=STYLE_OF_ROLE[r], linewidth=1.8, label=r.value)
        for r in OF_ROLE
        if r in roles
    ]
    return [
        *outlines,
        Patch(facecolor=NEEDLE, edgecolor="black", linewidth=0.5, label="needle"),
        Patch(facecolor=SEED, edgecolor="black", linewidth=0.5, label="seed"),
    ]
