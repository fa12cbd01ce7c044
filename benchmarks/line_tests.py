"""How many lines a second: the planner's full test against ray casters that test a line without a needle.

Same scene, same lines, same two cores. The planner's test holds the needle's radius, each structure's
clearance, the needle's length, re-entry, table, bore and hub; a caster answers only whether a line of no
width meets a triangle. Two scenes for the casters, since their speed depends on the number of triangles:
the voxels as they were segmented, and the same solid sampled at 1 mm, as surfaces usually come.
"""

import numpy as np

from anatomy.scene import Scene
from benchmarks import case, ours
from benchmarks.contestants import CORES, BspTree, Embree
from benchmarks.lines import Lines, through_target
from benchmarks.surfaces import Mesh, obstacles, voxel_faces
from benchmarks.table import Row, seconds

LINES, VTK_LINES = 400_000, 300
EMBREE_GOAL, VTK_GOAL = 3.0, 10_000.0
NAME = "line tests"


def run() -> list[Row]:
    """Rates, ratios, and a check that no line we call clear meets the surface."""
    scene = case.real_scene("4R")
    request = case.request()
    built = ours.build(scene, request)
    lines = through_target(scene, LINES)
    own = LINES / seconds(lambda: ours.line_is_clear(built, lines))
    clear = ours.line_is_clear(built, lines)
    rows = [
        Row(NAME, "seedpath: radius, clearances and all other constraints", own / 1e6, "M/s"),
        Row(NAME, "lines that are clear", 100 * float(clear.mean()), "%"),
    ]
    segmented = segmented_surface(scene)
    for what, mesh in (("as segmented", segmented), ("at 1 mm", surface_at_1mm(scene))):
        rows += _against(what, mesh, lines, own, request.needle.max_length_mm)
    # A needle's tip lies deeper than the point a ray starts from, by no more than the target's diagonal.
    extent = np.array(scene.target.upper) - np.array(scene.target.lower)
    within = request.needle.max_length_mm - float(np.linalg.norm(extent * scene.grid.spacing_mm))
    wrong = int((clear & (Embree(segmented).first_hit_mm(lines) < within)).sum())
    rows.append(Row(NAME, "called clear, yet met by Embree's ray", wrong, "lines", goal="0", met=wrong == 0))
    return rows


def _against(what: str, mesh: Mesh, lines: Lines, own: float, length_mm: float) -> list[Row]:
    embree, tree = Embree(mesh), BspTree(mesh)
    few = lines.first(VTK_LINES)
    cast = len(lines) / min(
        seconds(lambda: embree.blocked(lines)), seconds(lambda: embree.blocked_in_threads(lines))
    )
    # Python holds VTK on one core: it is credited with a perfect second one.
    walked = CORES * len(few) / seconds(lambda: tree.blocked(few, length_mm), repeats=1)
    size = f"{what}, {len(mesh.faces) / 1e6:.2f} M triangles"
    return [
        Row(
            NAME,
            f"trimesh with Embree, zero radius, {size}",
            cast / 1e6,
            "M/s",
            f"seedpath is {own / cast:.1f} times",
            f">= {EMBREE_GOAL:.0f} times",
            own >= EMBREE_GOAL * cast,
        ),
        Row(
            NAME,
            f"vtkModifiedBSPTree, zero radius, {size}",
            walked / 1e6,
            "M/s",
            f"seedpath is {own / walked:.0f} times",
            f">= {VTK_GOAL:.0f} times",
            own >= VTK_GOAL * walked,
        ),
    ]


def segmented_surface(scene: Scene) -> Mesh:
    """The forbidden voxels' own faces."""
    return voxel_faces(obstacles(scene), scene.grid.spacing_mm)


def surface_at_1mm(scene: Scene) -> Mesh:
    """Faces of the forbidden solid, sampled at the centres of 1 mm voxels."""
    grid = scene.grid
    nearest = [
        np.rint(np.arange(0.5 * (1 / s - 1), n - 0.5, 1 / s)).astype(int).clip(0, n - 1)
        for s, n in zip(grid.spacing_mm, grid.shape, strict=True)
    ]
    mesh = voxel_faces(obstacles(scene)[np.ix_(*nearest)], np.ones(3))
    # Both grids begin at the same corner, half a voxel of each below its first centre.
    return Mesh(mesh.vertices_B + 0.5 - 0.5 * grid.spacing_mm, mesh.faces)
