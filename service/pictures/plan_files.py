"""Figures of a plan as files: `path_01.png` ... in order of rank, `needle_N1.png` ... of the needles of its
set, and `skin_access.png`.

With a dose also `dvh.png`, `isodose.png`, and the surfaces `isodose_50.stl` ... in patient LPS mm, by percent
of the prescribed dose.
"""

from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from anatomy.scene import Scene
from planner.dose.dose_grid import dose_grid_enclosing
from planner.dose.isodose import isodose_surface
from planner.dose.plan_dose import plan_dose, seeds_P
from planner.records import paths as paths_records
from planner.records.paths import Aim
from planner.records.plan import Plan, PlanningResult
from service.exports.stl import write_stl
from service.host.atomic_write import write_atomically
from service.pictures.dvh import dvh_figure
from service.pictures.isodose import LEVELS_PERCENT, isodose_figure
from service.pictures.path import path_figure
from service.pictures.skin_access import access_figure

SURFACE_STEP_MM = 1.0
"""Between the points from which isodose surfaces are made [U]: about a seed's diameter."""


def draw(planning: PlanningResult, scene: Scene, folder: Path) -> list[Path]:
    """Draw every ranked path, every needle of the set, the skin access map, and the dose; returns the files
    written, in that order.

    `folder` is made if it does not exist. The same plan and scene give the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan, access = planning.plan, planning.access
    files = [
        write_figure(path_figure(plan, path, scene), folder / f"{_name(path)}.png") for path in plan.paths
    ]
    skin = access_figure(plan, scene, access.entry_mm, access.lung_length_mm)
    files.append(write_figure(skin, folder / "skin_access.png"))
    if plan.dose is not None:
        files.append(write_figure(dvh_figure(plan), folder / "dvh.png"))
        files.append(write_figure(isodose_figure(plan, scene), folder / "isodose.png"))
        files.extend(_surfaces(plan, scene, folder))
    return files


def _name(path: paths_records.Path) -> str:
    """Ranked paths by rank, needles of the set by name."""
    return f"path_{path.rank:02d}" if path.aim is Aim.TARGET else f"needle_{path.id}"


def write_figure(figure: Figure, file: Path) -> Path:
    """Write a figure as PNG; returns the file."""
    # Without the drawing library's name and version in it, equal pictures are equal bytes.
    figure.savefig(file, metadata={"Software": None})
    return file


def _surfaces(plan: Plan, scene: Scene, folder: Path) -> Iterator[Path]:
    """One file for each level that is reached anywhere."""
    assert plan.dose is not None
    seeds, prescribed_gy = seeds_P(plan), plan.dose.prescribed_gy
    if len(seeds) == 0:
        return
    lowest_gy = min(LEVELS_PERCENT) / 100 * prescribed_gy
    dose_grid = dose_grid_enclosing(plan_dose(plan), lowest_gy, seeds, scene.grid, SURFACE_STEP_MM)
    for percent in LEVELS_PERCENT:
        surface = isodose_surface(dose_grid, percent / 100 * prescribed_gy)
        if len(surface.faces):
            file = folder / f"isodose_{percent}.stl"
            write_atomically(file, write_stl(surface, f"{percent} % of {prescribed_gy:g} Gy, LPS mm"))
            yield file
