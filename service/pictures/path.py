"""The picture of one path: the two oblique slices that contain the needle, with all of it drawn to scale."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Polygon

from anatomy.scene import Scene
from anatomy.structures import Role
from planner.records.paths import Aim, Path
from planner.records.plan import Plan
from planner.records.wording.lung import at_least
from planner.records.wording.number_text import mm_text
from service.pictures.oblique_slice import Slice, along_needle
from service.pictures.outlines import (
    HALO,
    draw_anatomy,
    draw_frame,
    draw_names,
    outlines_legend,
    roles_seen,
    spoken,
)
from service.pictures.palette import NEEDLE, SEED

MARGIN_MM, SMALLEST_HALF_MM = 30.0, 70.0
"""How much is shown around the needle inside the body [U]."""


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
        regions = draw_anatomy(axes, plane, scene)
        first = {c.structure for c in path.crosses} | {path.nearest_structure}
        draw_names(axes, plane, regions, first, [text for _, _, text in _marks(plane, path)])
        roles |= roles_seen(regions)
        _draw_needle(axes, plane, plan, path)
        draw_frame(axes, plane, name)
    figure.suptitle(_title(plan, path, scene), fontsize=11)
    figure.legend(handles=_legend(roles), loc="outside lower center", ncols=8, frameon=False, fontsize=8.5)
    return figure


def _title(plan: Plan, path: Path, scene: Scene) -> str:
    window = next((w.name for w in plan.windows if w.id == path.window), path.approach)
    lung = f"lung {at_least(mm_text(path.lung_length_mm), plan.missing_structures)}"
    nearest = f" to {spoken(path.nearest_structure)}" if path.nearest_structure else ""
    return (
        f"{_named(path, scene)}: {window}\n"
        f"{lung}, clearance {path.clearance_mm:.1f} mm{nearest}, "
        f"depth {path.length_mm:.0f} mm"
    )


def _named(path: Path, scene: Scene) -> str:
    """What is drawn. Of a given needle nobody has claimed that it leads to the target."""
    if path.aim is Aim.GIVEN:
        return f"Given needle {path.id}"
    targets = " and ".join(spoken(s.name) for s in scene.of_role(Role.TARGET))
    return f"Path {path.rank} to {targets}" if path.aim is Aim.TARGET else f"Needle {path.id} for {targets}"


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
    source = plan.request.seeds.source
    half_mm = 0.5 * source.seed_length_mm
    for seed in path.seeds:
        centre_P, axis_P = np.array(seed.position_mm), np.array(seed.axis)
        ends = centre_P - half_mm * axis_P, centre_P + half_mm * axis_P
        bar = _bar(plane, *ends, source.seed_diameter_mm)
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
            path_effects=HALO,
            zorder=7,
            arrowprops={"arrowstyle": "-", "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0},
        )


def _marks(plane: Slice, path: Path) -> tuple[tuple[str, np.ndarray, np.ndarray], ...]:
    """Entry and tip: their names, where they are on the page, and where the name goes beside them. [mm]"""
    entry, tip = plane.on_page(np.array(path.entry_mm)), plane.on_page(np.array(path.tip_mm))
    along = (tip - entry) / np.linalg.norm(tip - entry)
    offset = 7.0 * np.array([along[1], -along[0]])
    return ("entry", entry, entry + offset - 5.0 * along), ("tip", tip, tip + offset + 5.0 * along)


def _legend(roles: set[Role]) -> list[Line2D | Patch]:
    return [
        *outlines_legend(roles),
        Patch(facecolor=NEEDLE, edgecolor="black", linewidth=0.5, label="needle"),
        Patch(facecolor=SEED, edgecolor="black", linewidth=0.5, label="seed"),
    ]
