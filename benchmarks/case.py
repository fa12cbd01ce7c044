"""The real case that benchmarks run on, and requests that vary one thing at a time."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from anatomy.geometry.masks import mask_from_bool
from anatomy.readers.read import read
from anatomy.scene import Scene, scene
from anatomy.structures import Role, Structure
from planner.records.request.request import Request
from planner.records.request.search import SearchRequest

FOLDER = Path(__file__).parents[2] / "shared" / "cases" / "c3n00249"
TARGETS: Mapping[str, str] = {"4R": "station_4R", "3A": "station_3A", "lung": "lung_right_upper"}
"""Short name and file of each target."""


def files(target: str) -> tuple[Path, Path, Path]:
    """Labels, their names and the mask of one target. Stops with a sentence where the case is missing."""
    if not FOLDER.is_dir():
        raise SystemExit("benchmarks need the case ../shared/cases/c3n00249 beside the checkout")
    return (
        FOLDER / "labels.nii.gz",
        FOLDER / "labels.json",
        FOLDER / "targets" / f"{TARGETS[target]}.nii.gz",
    )


def real_scene(target: str, radius_mm: float | None = None) -> Scene:
    """The chest CT c3n00249 with the target of that short name, or a ball about the same centre."""
    labels, names, mask = files(target)
    segmentation, targets = read(labels, names=names, targets=(mask,))
    if radius_mm is None:
        return scene(segmentation, targets)
    grid = segmentation.grid
    target_mask = next(s.mask for s in segmentation.structures if s.name in targets)
    voxels_B = np.moveaxis(np.indices(grid.shape), 0, -1) * grid.spacing_mm
    centre_B = (
        np.argwhere(target_mask.cropped()).mean(axis=0) + np.array(target_mask.lower)
    ) * grid.spacing_mm
    ball = mask_from_bool(((voxels_B - centre_B) ** 2).sum(axis=-1) <= radius_mm**2)
    others = tuple(s for s in segmentation.structures if s.name not in targets)
    structures = (*others, Structure("ball", ball, Role.TARGET))
    return scene(replace(segmentation, structures=structures), ("ball",))


def request(covering_radius_mm: float = 2.0, field_resolution_mm: float = 1.0) -> Request:
    """Defaults, with another covering radius or field."""
    return Request(
        search=SearchRequest(covering_radius_mm=covering_radius_mm, field_resolution_mm=field_resolution_mm)
    )
