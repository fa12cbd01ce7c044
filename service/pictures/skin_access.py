"""The skin access map: where a needle may enter, and how much lung the best path from there crosses.

Seen from front, back, left and right along the grid's own axes. Skin without a mark has no safe path.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import EllipseCollection
from matplotlib.colors import LightSource, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from scipy import ndimage

from anatomy.plausibility.expected_structures import LUNG, lung_lacking
from anatomy.scene import Scene
from planner.records.paths import Aim
from planner.records.plan import Plan
from planner.records.wording.lung import of_lung
from planner.records.wording.number_text import counted, mm_text
from service.pictures.oblique_slice import LETTERS
from service.pictures.palette import NO_LUNG

CELL_MM = 3.0
"""One mark stands for the best entry in a cube of this size."""
SEEN_WITHIN_MM = 12.0
"""An entry this far behind the first skin a viewer meets is still drawn: it lies on the same slope."""
COLOURS = "viridis_r"
RELIEF = "#CFCFCF"
RELIEF_SMOOTHING_MM = 5.0
FULL_SCALE_PERCENTILE = 98.0


@dataclass(frozen=True)
class View:
    """Looking along +-`depth_axis` of the grid; the page's right is +-`right_axis`, its up is superior."""

    name: str
    depth_axis: int
    from_low_end: bool
    right_axis: int
    right_is_positive: bool

    def letters(self) -> tuple[str, str]:
        """Patient directions at the left and right edge of the page."""
        positive, negative = LETTERS[self.right_axis]
        return (negative, positive) if self.right_is_positive else (positive, negative)


VIEWS = (
    View("from the front", 1, True, 0, True),
    View("from the back", 1, False, 0, False),
    View("from the right", 0, True, 1, False),
    View("from the left", 0, False, 1, True),
)


def access_figure(
    plan: Plan, scene: Scene, entry_P: Float[np.ndarray, "n 3"], lung_length_mm: Float[np.ndarray, " n"]
) -> Figure:
    """Four views of the skin, with every entry in the colour of the least lung a path from it crosses."""
    entry_B, lung_mm = best_in_cells(scene.grid.to_box(entry_P), lung_length_mm)
    crossing = lung_mm[lung_mm > 0]
    top_mm = float(np.percentile(crossing, FULL_SCALE_PERCENTILE)) if len(crossing) else 1.0
    scale = Normalize(0.0, max(top_mm, 1.0))
    figure = Figure(figsize=(11.0, 7.6), dpi=200, layout="constrained")
    panels = figure.subplots(2, 2)
    body = scene.body.layer == scene.body.label
    for axes, view in zip(panels.flat, VIEWS, strict=True):
        _draw_view(axes, view, body, scene, entry_B, lung_mm, scale)
        _draw_entries_of_paths(axes, view, plan, scene, body)
    bar = figure.colorbar(ScalarMappable(scale, COLOURS), ax=panels, shrink=0.7, extend="max", pad=0.02)
    bar.set_label("least lung crossed from this entry [mm]")
    figure.suptitle(f"Skin access: {_sentence(lung_length_mm, plan.missing_structures)}", fontsize=11)
    figure.legend(
        handles=_legend(of_lung(plan.missing_structures)),
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=8.5,
    )
    return figure


def _sentence(lung_length_mm: Float[np.ndarray, " n"], missing: tuple[str, ...]) -> str:
    n = len(lung_length_mm)
    if n == 0:
        return "no safe entry was found"
    entries = f"{counted(n, 'entry', 'entries')} of safe paths"
    lacks = lung_lacking(missing)
    if lacks == (LUNG,):
        return f"{entries}; what lung they cross is not known, as none is in the input"
    free = int((lung_length_mm <= 0).sum())
    least = f"the least lung crossed is {mm_text(float(lung_length_mm.min()))}"
    lacking_note = f"\nnot in the input: {', '.join(lacks)}" if lacks else ""
    return f"{entries}, {free} of them without {of_lung(missing)}; {least}{lacking_note}"


def best_in_cells(
    entry_B: Float[np.ndarray, "n 3"], lung_length_mm: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "m 3"], Float[np.ndarray, " m"]]:
    """For every cube of CELL_MM that holds entries, the one with least lung.

    Returned worst first, so that better marks are drawn on top.
    """
    cells = np.floor(entry_B / CELL_MM).astype(np.int64)
    order = np.lexsort((*entry_B.T, lung_length_mm))
    _, first = np.unique(cells[order], axis=0, return_index=True)
    rows = order[first]
    rows = rows[np.argsort(-lung_length_mm[rows], kind="stable")]
    return entry_B[rows], lung_length_mm[rows]


def first_skin_mm(view: View, body: Bool[np.ndarray, "nx ny nz"], scene: Scene) -> Float[np.ndarray, "a b"]:
    """Depth from the viewer's end of the grid to the first voxel of the body; NaN where there is none.

    Indexed by the grid's two other axes, in order.
    """
    from_eye = body if view.from_low_end else np.flip(body, view.depth_axis)
    depth = np.argmax(from_eye, axis=view.depth_axis) * scene.grid.spacing_mm[view.depth_axis]
    return np.where(body.any(axis=view.depth_axis), depth, np.nan)


def visible(
    view: View, p_B: Float[np.ndarray, "n 3"], first_mm: Float[np.ndarray, "a b"], scene: Scene
) -> Bool[np.ndarray, " n"]:
    """Whether points on the skin are on the side that the viewer sees."""
    spacing, shape = scene.grid.spacing_mm, np.array(scene.grid.shape)
    index = np.rint(p_B / spacing).astype(int).clip(0, shape - 1)
    others = [a for a in range(3) if a != view.depth_axis]
    along = p_B[:, view.depth_axis]
    end = (shape[view.depth_axis] - 1) * spacing[view.depth_axis]
    depth = along if view.from_low_end else end - along
    behind = depth - first_mm[index[:, others[0]], index[:, others[1]]]
    return np.asarray(np.nan_to_num(behind, nan=0.0) <= SEEN_WITHIN_MM)


def _draw_view(
    axes: Axes,
    view: View,
    body: Bool[np.ndarray, "nx ny nz"],
    scene: Scene,
    entry_B: Float[np.ndarray, "n 3"],
    lung_mm: Float[np.ndarray, " n"],
    scale: Normalize,
) -> None:
    first_mm = first_skin_mm(view, body, scene)
    _draw_relief(axes, view, first_mm, scene)
    is_visible = visible(view, entry_B, first_mm, scene)
    lung = lung_mm[is_visible]
    colours = np.where((lung > 0)[:, None], ScalarMappable(scale, COLOURS).to_rgba(lung), to_rgba(NO_LUNG))
    size = np.full(len(lung), 1.5 * CELL_MM)
    axes.add_collection(
        EllipseCollection(
            size,
            size,
            np.zeros(len(lung)),
            units="xy",
            offsets=entry_B[is_visible][:, [view.right_axis, 2]],
            offset_transform=axes.transData,
            facecolors=colours,
            linewidths=0,
        )
    )
    _draw_frame(axes, view, scene)


def _draw_relief(axes: Axes, view: View, first_mm: Float[np.ndarray, "a b"], scene: Scene) -> None:
    """The body as a pale relief, lit from above: it gives the marks a place."""
    spacing = scene.grid.spacing_mm
    hidden = np.isnan(first_mm)
    # Rows are superior, columns the page's right axis; the far wall stands in for air so that edges are dark.
    height = -np.where(hidden, np.nanmax(first_mm, initial=0.0), first_mm).T
    # Voxels are steps; what is shown is the slope of the skin.
    height = ndimage.gaussian_filter(height, RELIEF_SMOOTHING_MM / spacing[[2, view.right_axis]])
    shade = LightSource(azdeg=315, altdeg=55).hillshade(height, dx=spacing[view.right_axis], dy=spacing[2])
    picture = np.ones((*shade.shape, 4))
    picture[..., :3] = (0.72 + 0.26 * shade)[..., None]
    picture[..., 3] = ~hidden.T
    lower, upper = scene.grid.lower_B, scene.grid.upper_B
    extent = (lower[view.right_axis], upper[view.right_axis], lower[2], upper[2])
    axes.imshow(picture, origin="lower", extent=extent, interpolation="bilinear")


def _draw_entries_of_paths(
    axes: Axes, view: View, plan: Plan, scene: Scene, body: Bool[np.ndarray, "nx ny nz"]
) -> None:
    """Ranked paths by their number, worst first."""
    ranked = [path for path in plan.paths if path.aim is Aim.TARGET]
    if not ranked:
        return
    entries_B = scene.grid.to_box(np.array([p.entry_mm for p in ranked]))
    is_visible = visible(view, entries_B, first_skin_mm(view, body, scene), scene)
    for path, at, in_front in sorted(
        zip(ranked, entries_B, is_visible, strict=True), key=lambda item: item[0].rank, reverse=True
    ):
        if in_front:
            axes.text(
                at[view.right_axis],
                at[2],
                str(path.rank),
                fontsize=6.5,
                fontweight="bold",
                ha="center",
                va="center",
                bbox={
                    "boxstyle": "circle,pad=0.15",
                    "facecolor": "white",
                    "edgecolor": "black",
                    "linewidth": 0.7,
                },
            )


def _draw_frame(axes: Axes, view: View, scene: Scene) -> None:
    lower, upper = scene.grid.lower_B, scene.grid.upper_B
    low, high = float(lower[view.right_axis]), float(upper[view.right_axis])
    span, height = high - low, float(upper[2] - lower[2])
    axes.set(ylim=(lower[2] - 0.02 * height, upper[2] + 0.02 * height), aspect="equal", xticks=[], yticks=[])
    # A view from the other side has the axis run the other way on the page.
    low, high = low - 0.06 * span, high + 0.06 * span
    axes.set_xlim(*((low, high) if view.right_is_positive else (high, low)))
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(f"Seen {view.name}", fontsize=9)
    left, right = view.letters()
    for text, x, y in ((left, 0.02, 0.5), (right, 0.98, 0.5), ("S", 0.5, 0.97), ("I", 0.5, 0.03)):
        axes.text(
            x,
            y,
            text,
            transform=axes.transAxes,
            fontsize=10,
            fontweight="bold",
            ha="center",
            va="center",
            path_effects=[withStroke(linewidth=2.2, foreground="white")],
        )


def _legend(lung: str) -> list[Line2D]:
    meanings = (
        (f"entry of a path without {lung}", NO_LUNG, NO_LUNG),
        ("skin without a safe path", RELIEF, RELIEF),
        ("entry of a ranked path", "white", "black"),
    )
    return [
        Line2D(
            [],
            [],
            linestyle="none",
            marker="o",
            markersize=7,
            markerfacecolor=face,
            markeredgecolor=edge,
            label=text,
        )
        for text, face, edge in meanings
    ]
