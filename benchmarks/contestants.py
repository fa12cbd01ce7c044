"""Ray casters that planners of this kind use, asked about zero-radius lines: no clearance, no needle.

Both are given their best case: the structure is built beforehand, and where a library's own thread pool or
a second thread does not help, it is credited with a perfect second core.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Bool, Float
from trimesh.ray.ray_pyembree import RayMeshIntersector
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
from vtkmodules.vtkCommonCore import mutable, vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkFiltersFlowPaths import vtkModifiedBSPTree

from benchmarks.lines import Lines
from benchmarks.surfaces import Mesh

CORES = 2


class Embree:
    """Embree through trimesh."""

    def __init__(self, mesh: Mesh) -> None:
        self._caster = RayMeshIntersector(trimesh.Trimesh(mesh.vertices_B, mesh.faces, process=False))
        self.blocked(Lines(np.zeros((1, 3)), np.eye(3)[:1]))

    def blocked(self, lines: Lines) -> Bool[np.ndarray, " n"]:
        """Whether the ray outward meets a triangle."""
        return np.asarray(self._caster.intersects_any(lines.point_B, lines.outward_B))

    def blocked_in_threads(self, lines: Lines) -> Bool[np.ndarray, " n"]:
        """The same, split over as many threads as there are cores."""
        parts = np.array_split(np.arange(len(lines)), CORES)
        with ThreadPoolExecutor(CORES) as pool:
            return np.concatenate(
                list(pool.map(lambda p: self.blocked(Lines(lines.point_B[p], lines.outward_B[p])), parts))
            )

    def first_hit_mm(self, lines: Lines) -> Float[np.ndarray, " n"]:
        """Distance to the first triangle that each ray meets; infinite where there is none."""
        where, which, _ = self._caster.intersects_location(
            lines.point_B, lines.outward_B, multiple_hits=False
        )
        distance = np.full(len(lines), np.inf)
        distance[which] = np.linalg.norm(where - lines.point_B[which], axis=1)
        return distance


class BspTree:
    """VTK's `vtkModifiedBSPTree`, whose `IntersectWithLine` a published planner calls line by line."""

    def __init__(self, mesh: Mesh) -> None:
        points = vtkPoints()
        points.SetData(numpy_to_vtk(mesh.vertices_B, deep=True))
        cells = vtkCellArray()
        offsets = np.arange(0, 3 * len(mesh.faces) + 1, 3, dtype=np.int64)
        cells.SetData(
            numpy_to_vtkIdTypeArray(offsets, deep=True),
            numpy_to_vtkIdTypeArray(mesh.faces.astype(np.int64).ravel(), deep=True),
        )
        surface = vtkPolyData()
        surface.SetPoints(points)
        surface.SetPolys(cells)
        self._tree: Any = vtkModifiedBSPTree()
        self._tree.SetDataSet(surface)
        self._tree.BuildLocator()

    def blocked(self, lines: Lines, length_mm: float) -> Bool[np.ndarray, " n"]:
        """Whether the segment of that length outward meets a triangle."""
        t, sub_id, at, parameters = mutable(0.0), mutable(0), [0.0] * 3, [0.0] * 3
        ends = lines.point_B + length_mm * lines.outward_B
        return np.array(
            [
                self._tree.IntersectWithLine(p, q, 1e-6, t, at, parameters, sub_id) != 0
                for p, q in zip(lines.point_B.tolist(), ends.tolist(), strict=True)
            ]
        )
