"""The picture of a plan's dose: isodose lines on an axial, a coronal and a sagittal slice through the PTV.

The slices meet in the PTV's centre, its voxels weighted by dose. Needles and seeds are drawn where they lie
within NEAR_MM of a slice, and needles are cut there.
"""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from anatomy.geometry.masks import VoxelMask
from anatomy.scene import Scene
from anatomy.structures import Role
from planner.dose.dose_grid import DoseAt
from planner.dose.plan_dose import plan_dose
from planner.dose.ptv import ptv_of
from planner.records.plan import Plan
from service.pictures.implant_marks import NEAR_MM, draw_needles, draw_seeds
from service.pictures.oblique_slice import LEFT, LETTERS, POSTERIOR, SUPERIOR, Slice, inside
from service.pictures.outlines import (
    HALO,
    PIXEL_MM,
    draw_anatomy,
    draw_frame,
    draw_names,
    outlines_legend,
    roles_seen,
    scale_bar,
    spoken,
)
from service.pictures.palette import BLACK, BLUE, GREEN, NEEDLE, PURPLE, SEED, VERMILION, LineStyle

LEVELS_PERCENT = (50, 100, 150, 200)
"""Of the prescribed dose."""
LINES: tuple[tuple[str, LineStyle, float], ...] = (
    (BLUE, "dashed", 1.3),
    (BLACK, "solid", 2.2),
    (PURPLE, "solid", 1.3),
    (VERMILION, "dotted", 1.6),
)
"""Colour, style and width for each level."""
MARGIN_MM, SMALLEST_HALF_MM = 25.0, 40.0
"""How much is shown around the PTV [U]."""
WEIGHED_TO = 2.0
"""Dose above this part of the prescription weighs no more: a voxel at a seed is not the PTV's centre [U]."""


def isodose_figure(plan: Plan, scene: Scene) -> Figure:
    """Three slices side by side, with a legend that names every line."""
    assert plan.dose is not None, "a plan without a dose has no isodoses"
    dose, ptv = plan_dose(plan), ptv_of(scene, plan.request.target)
    voxels_P = _voxels_P(ptv, scene)
    centre_P = _centre(voxels_P, dose, plan.dose.prescribed_gy)
    half_mm = max(SMALLEST_HALF_MM, float(np.abs(voxels_P - centre_P).max()) + MARGIN_MM)
    figure = Figure(figsize=(15.0, 6.2), dpi=200, layout="constrained")
    roles: set[Role] = set()
    for axes, (name, plane) in zip(figure.subplots(1, 3), slices(centre_P, half_mm).items(), strict=True):
        regions = draw_anatomy(axes, plane, scene)
        draw_names(axes, plane, regions, set(), [scale_bar(plane)])
        roles |= roles_seen(regions)
        _draw_ptv(axes, plane, ptv, scene)
        _draw_isodoses(axes, plane, dose, plan.dose.prescribed_gy)
        draw_needles(axes, plane, plan)
        draw_seeds(axes, plane, plan)
        draw_frame(axes, plane, name)
    figure.suptitle(_title(plan, scene), fontsize=11)
    figure.legend(handles=_legend(roles), loc="outside lower center", ncols=7, frameon=False, fontsize=8.5)
    return figure


def slices(centre_P: Float[np.ndarray, "3"], half_mm: float) -> dict[str, Slice]:
    """The patient's three planes through a point, laid out as CT is read. [mm]"""
    left, posterior, superior = (
        f"{letters[0 if at >= 0 else 1]} {abs(at):.1f} mm"
        for letters, at in zip(LETTERS, centre_P, strict=True)
    )
    return {
        f"Axial, {superior}": Slice(centre_P, LEFT, -POSTERIOR, half_mm),
        f"Coronal, {posterior}": Slice(centre_P, LEFT, SUPERIOR, half_mm),
        f"Sagittal, {left}": Slice(centre_P, POSTERIOR, SUPERIOR, half_mm),
    }


def _voxels_P(mask: VoxelMask, scene: Scene) -> Float[np.ndarray, "n 3"]:
    index = np.argwhere(mask.cropped()) + np.array(mask.lower)
    return scene.grid.to_patient(index * scene.grid.spacing_mm)


def _centre(voxels_P: Float[np.ndarray, "n 3"], dose: DoseAt, prescribed_gy: float) -> Float[np.ndarray, "3"]:
    """The voxels' centre, each weighted by its dose; where there is none, by itself."""
    weights = np.minimum(dose(voxels_P), WEIGHED_TO * prescribed_gy)
    if not weights.sum() > 0.0:
        weights = np.ones(len(voxels_P))
    return np.asarray(weights @ voxels_P / weights.sum())


def _draw_ptv(axes: Axes, plane: Slice, ptv: VoxelMask, scene: Scene) -> None:
    share = inside(ptv, scene.grid, plane.pixels_P(PIXEL_MM))
    if (share >= 0.5).any():
        h = plane.half_mm
        axes.contour(
            share, levels=[0.5], colors=[GREEN], linestyles="dashed", linewidths=2.0, extent=(-h, h, -h, h)
        )


def _draw_isodoses(axes: Axes, plane: Slice, dose: DoseAt, prescribed_gy: float) -> None:
    where_P = plane.pixels_P(PIXEL_MM)
    doses = dose(where_P.reshape(-1, 3)).reshape(where_P.shape[:2])
    h = plane.half_mm
    for percent, (colour, style, width) in zip(LEVELS_PERCENT, LINES, strict=True):
        level = percent / 100 * prescribed_gy
        if not doses.min() < level < doses.max():
            continue
        lines = axes.contour(
            doses, levels=[level], colors=[colour], linestyles=style, linewidths=width, extent=(-h, h, -h, h),
            zorder=4,
        )  # fmt: skip
        for label in axes.clabel(lines, fmt={level: f"{percent} %"}, fontsize=7):
            label.set_path_effects(HALO)


def _title(plan: Plan, scene: Scene) -> str:
    assert plan.dose is not None
    targets = " and ".join(spoken(s.name) for s in scene.of_role(Role.TARGET))
    target = plan.dose.target
    return (
        f"Dose around {targets}: {plan.dose.prescribed_gy:g} Gy prescribed, D90 {target.d90_gy:.1f} Gy, "
        f"V100 {target.v100_percent:.1f} %\n{plan.dose.medium}"
    )


def _legend(roles: set[Role]) -> list[Line2D | Patch]:
    levels = [
        Line2D(
            [], [], color=colour, linestyle=style, linewidth=width, label=f"{percent} % of the prescription"
        )
        for percent, (colour, style, width) in zip(LEVELS_PERCENT, LINES, strict=True)
    ]
    return [
        *levels,
        Line2D([], [], color=GREEN, linestyle="dashed", linewidth=2.0, label="PTV"),
        *outlines_legend(roles),
        Patch(facecolor=NEEDLE, edgecolor="black", linewidth=0.5, label=f"needle within {NEAR_MM:g} mm"),
        Patch(facecolor=SEED, edgecolor="black", linewidth=0.5, label=f"seed within {NEAR_MM:g} mm"),
    ]
