"""Figures of a plan as PNG files: `path_01.png` ... in order of rank, and `skin_access.png`."""

from pathlib import Path

from matplotlib.figure import Figure

from anatomy.scene import Scene
from planner.plan import Planning
from service.pictures.access_picture import access_figure
from service.pictures.path_picture import path_figure


def draw(planning: Planning, scene: Scene, folder: Path) -> list[Path]:
    """Draw every path, and the skin access map; returns the files written, in that order.

    `folder` is made if it does not exist. The same plan and scene give the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan, access = planning.plan, planning.access
    files = [
        _written(path_figure(plan, path, scene), folder / f"path_{path.rank:02d}.png") for path in plan.paths
    ]
    skin = access_figure(plan, scene, access.entry_mm, access.lung_length_mm)
    return [*files, _written(skin, folder / "skin_access.png")]


def _written(figure: Figure, file: Path) -> Path:
    # Without the drawing library's name and version in it, equal pictures are equal bytes.
    figure.savefig(file, metadata={"Software": None})
    return file
