"""Surfaces: repairs, refusals, and voxels and crossings compared with analytic results."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from anatomy.errors import SurfaceError
from anatomy.geometry.frames import Grid
from anatomy.geometry.surface import Surface
from anatomy.geometry.surface_bodies import bodies_without_voxels
from anatomy.geometry.surfaces import checked_surface, crossings, grid_around, voxelise

FLAT = np.array([[0, 0, 0], [5, 0, 0], [0, 5, 0], [5, 5, 0]], float)


def box(lower: tuple[float, float, float], upper: tuple[float, float, float]) -> trimesh.Trimesh:
    return trimesh.creation.box(bounds=np.array([lower, upper], float))


def ball(
    radius: float, centre: tuple[float, float, float] = (0, 0, 0), subdivisions: int = 3
) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius).apply_translation(centre)


def surface(*meshes: trimesh.Trimesh) -> Surface:
    combined = trimesh.util.concatenate(list(meshes)) if len(meshes) > 1 else meshes[0]
    return checked_surface("organ", np.array(combined.vertices), np.array(combined.faces))


def inverted(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, np.array(mesh.faces)[:, ::-1], process=False)


def volume(s: Surface) -> float:
    return float(trimesh.Trimesh(s.vertices_P, s.faces, process=False).volume)


def spans(
    s: Surface, entry: tuple[float, float, float], tip: tuple[float, float, float]
) -> list[list[float]]:
    crossing_spans = crossings(s, np.array(entry, float), np.array(tip, float))
    return [[round(float(d), 9) for d in span] for span in crossing_spans]


# --- repairs and refusals


def test_corners_stored_separately_as_in_stl_are_merged() -> None:
    mesh = ball(10)
    soup = np.array(mesh.triangles, np.float32).reshape(-1, 3).astype(float)
    repaired = checked_surface("organ", soup, np.arange(len(soup)).reshape(-1, 3))
    assert len(repaired.vertices_P) == len(mesh.vertices)
    assert volume(repaired) == pytest.approx(mesh.volume, rel=1e-5)


def test_an_inside_out_surface_is_reversed() -> None:
    assert volume(surface(inverted(ball(10)))) == pytest.approx(ball(10).volume)


def test_single_triangles_that_face_inwards_are_reversed() -> None:
    mesh = ball(10)
    faces = np.array(mesh.faces)
    faces[::7] = faces[::7, ::-1]
    repaired = checked_surface("organ", np.array(mesh.vertices), faces)
    assert volume(repaired) == pytest.approx(mesh.volume)


def test_degenerate_and_repeated_triangles_are_removed() -> None:
    mesh = box((0, 0, 0), (10, 10, 10))
    faces = np.vstack([mesh.faces, mesh.faces[:2], [[0, 0, 1]]])
    assert volume(checked_surface("organ", np.array(mesh.vertices), faces)) == pytest.approx(1000)


def test_an_inward_facing_shell_inside_another_stays_a_cavity() -> None:
    hollow = surface(ball(10), inverted(ball(5)))
    assert volume(hollow) == pytest.approx(ball(10).volume - ball(5).volume)


def test_an_inside_out_body_beside_another_is_reversed() -> None:
    combined = surface(ball(10), inverted(ball(5, (30, 0, 0))))
    assert volume(combined) == pytest.approx(ball(10).volume + ball(5).volume)


def moebius() -> tuple[np.ndarray, np.ndarray]:
    """A Klein-bottle-like closed grid: its triangles cannot all face outwards."""
    n, m = 12, 8
    index = np.arange(n * m).reshape(n, m)
    faces = []
    for i in range(n):
        for j in range(m):
            # One direction around the tube closes onto itself, the other onto its mirror image.
            def vertex(a: int, b: int) -> int:
                a, b = (a % n, b) if a < n else (a - n, -b)
                return int(index[a, b % m])

            faces += [
                [vertex(i, j), vertex(i + 1, j), vertex(i + 1, j + 1)],
                [vertex(i, j), vertex(i + 1, j + 1), vertex(i, j + 1)],
            ]
    u, v = np.meshgrid(np.arange(n) / n * 2 * np.pi, np.arange(m) / m * 2 * np.pi, indexing="ij")
    radius = 20 + 5 * (np.cos(u / 2) * np.sin(v) - np.sin(u / 2) * np.sin(2 * v))
    z = 5 * (np.sin(u / 2) * np.sin(v) + np.cos(u / 2) * np.sin(2 * v))
    points = np.stack([radius * np.cos(u), radius * np.sin(u), z], axis=-1).reshape(-1, 3)
    points += np.random.default_rng(1).normal(0, 0.01, points.shape)
    return points, np.array(faces)


@pytest.mark.parametrize(
    ("vertices", "faces", "message"),
    [
        (np.zeros((0, 3)), np.zeros((0, 3), int), "no triangle"),
        (FLAT, np.zeros((0, 3), int), "no triangle"),
        (np.where(FLAT == 5, np.nan, FLAT), np.array([[0, 1, 2]]), "NaN"),
        (FLAT, np.array([[0, 1, 7]]), "does not exist"),
        (FLAT, np.array([[0, 1, -1]]), "does not exist"),
        (FLAT, np.array([[0, 0, 1]]), "degenerate"),
        (FLAT, np.array([[0, 1, 2]]), "3 edges"),
        (FLAT / 50, np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]]), "less than 1 mm3"),
        (*moebius(), "cannot all face outwards"),
    ],
)
def test_a_surface_without_an_inside_is_refused(
    vertices: np.ndarray, faces: np.ndarray, message: str
) -> None:
    with pytest.raises(SurfaceError, match=message) as error:
        checked_surface("aorta.stl", vertices, faces)
    assert error.value.field == "aorta.stl"


def test_a_surface_with_a_hole_is_refused_and_not_closed() -> None:
    mesh = ball(10)
    with pytest.raises(SurfaceError, match="open: 3 edges"):
        checked_surface("aorta", np.array(mesh.vertices), np.array(mesh.faces)[1:])


# --- crossings


def test_a_line_through_a_box_is_inside_between_its_faces() -> None:
    cube = surface(box((0, 0, 0), (10, 20, 30)))
    assert spans(cube, (-5, 5, 5), (25, 5, 5)) == [[5, 15]]
    assert spans(cube, (5, 5, 5), (25, 5, 5)) == [[0, 5]]
    assert spans(cube, (2, 3, 4), (3, 3, 4)) == [[0, 1]]
    assert spans(cube, (-5, 25, 5), (25, 25, 5)) == []
    assert spans(cube, (-5, 5, 5), (-1, 5, 5)) == []


@pytest.mark.parametrize(
    ("entry", "tip"),
    [
        ((0, 0, -5), (0, 0, 35)),  # along an edge
        ((5, 5, -5), (5, 5, 35)),  # through the diagonal of two faces
        ((-5, -5, 0), (15, 15, 0)),  # within a face
        ((-10, -10, -10), (40, 40, 40)),  # through a corner
    ],
)
def test_lines_through_edges_and_corners_have_valid_spans(
    entry: tuple[float, float, float], tip: tuple[float, float, float]
) -> None:
    cube = surface(box((0, 0, 0), (10, 10, 30)))
    length = float(np.linalg.norm(np.subtract(tip, entry)))
    for a, b in spans(cube, entry, tip):
        assert 0 <= a < b <= length


def test_cavities_are_outside_and_overlaps_inside() -> None:
    hollow = surface(box((0, 0, 0), (10, 10, 10)), inverted(box((3, 3, 3), (7, 7, 7))))
    assert spans(hollow, (-1, 5, 4.5), (11, 5, 4.5)) == [[1, 4], [8, 11]]
    joined = surface(box((0, 0, 0), (10, 10, 10)), box((5, 1, 1), (15, 9, 9)))
    assert spans(joined, (-1, 5, 4.5), (20, 5, 4.5)) == [[1, 16]]


UNIT = st.floats(-1, 1)


@given(UNIT, UNIT, UNIT, UNIT, UNIT, UNIT)
def test_the_chord_of_a_ball_agrees_with_its_formula(
    a: float, b: float, c: float, d: float, e: float, f: float
) -> None:
    entry, through = np.array([a, b, c]), np.array([d, e, f])
    if np.linalg.norm(entry) < 0.1:
        return
    entry, through = 40 * entry / np.linalg.norm(entry), 8 * through
    direction = (through - entry) / np.linalg.norm(through - entry)
    tip = entry + 80 * direction
    crossing_spans = crossings(surface(ball(10, subdivisions=4)), entry, tip)
    nearest_s = -float(entry @ direction)
    distance_mm = float(np.linalg.norm(entry + nearest_s * direction))
    # A polyhedron of 5120 triangles lies up to 0.03 mm inside its ball of 10 mm.
    if distance_mm < 9.5:
        half = np.sqrt(100 - distance_mm**2)
        assert crossing_spans == pytest.approx(np.array([[nearest_s - half, nearest_s + half]]), abs=0.15)
        inner = np.sqrt(max(0.0, 9.96**2 - distance_mm**2))
        assert inner - 1e-9 <= (crossing_spans[0, 1] - crossing_spans[0, 0]) / 2 <= half + 1e-9
    elif distance_mm > 10:
        assert len(crossing_spans) == 0


@settings(max_examples=25)
@given(UNIT, UNIT, UNIT)
def test_moving_line_and_surface_together_changes_no_depth(a: float, b: float, c: float) -> None:
    turn = trimesh.transformations.euler_matrix(3 * a, 3 * b, 3 * c)
    turn[:3, 3] = (100 * a, 50 * b, 200 * c)
    cube = box((0, 0, 0), (10, 20, 30))
    ends = np.array([[-5.0, 3.0, 2.0], [25.0, 15.0, 26.0]])
    moved_ends = trimesh.transform_points(ends, turn)
    expected = crossings(surface(cube), *ends)
    assert len(expected) == 1
    assert crossings(surface(cube.copy().apply_transform(turn)), *moved_ends) == pytest.approx(
        expected, abs=1e-9
    )


# --- voxels


def grid(spacing: tuple[float, float, float] = (1.0, 1.0, 1.0), n: int = 30) -> Grid:
    X = np.diag([*spacing, 1.0])
    X[:3, 3] = -0.5 * (n - 1) * np.array(spacing)
    return Grid((n, n, n), X)


def test_a_box_contains_the_centres_inside_and_touches_the_boxes_it_meets() -> None:
    unit_grid = Grid((10, 10, 10), np.eye(4))
    cube = surface(box((1.6, 2.2, 3.0), (4.3, 5.7, 6.2)))
    centres = voxelise(cube, unit_grid, touching=False)
    assert np.argwhere(centres).min(axis=0)[:2].tolist() == [2, 3]
    assert np.argwhere(centres).max(axis=0).tolist() == [4, 5, 6]
    touched = np.argwhere(voxelise(cube, unit_grid, touching=True))
    assert touched.min(axis=0).tolist() == [2, 2, 3]
    assert touched.max(axis=0).tolist() == [4, 6, 6]
    assert len(touched) == 3 * 5 * 4


def test_a_face_on_the_border_of_two_boxes_touches_both() -> None:
    touched = np.argwhere(
        voxelise(surface(box((2.5, 2.5, 2.5), (4.5, 4.5, 4.5))), Grid((10, 10, 10), np.eye(4)), touching=True)
    )
    assert touched.min(axis=0).tolist() == [2, 2, 2]
    assert touched.max(axis=0).tolist() == [5, 5, 5]


def oblique(spacing: tuple[float, float, float], turn: np.ndarray, n: int, mirrored: bool) -> Grid:
    X = np.eye(4)
    X[:3, :3] = turn[:3, :3] * np.array(spacing)
    if mirrored:
        X[:3, 0] *= -1
    X[:3, 3] = -X[:3, :3] @ np.full(3, 0.5 * (n - 1))
    return Grid((n, n, n), X)


@settings(max_examples=12)
@given(UNIT, UNIT, UNIT, st.booleans())
def test_oblique_anisotropic_masks_agree_with_half_spaces(
    a: float, b: float, c: float, mirrored: bool
) -> None:
    mesh = ball(9.3, (0.4, -0.3, 0.2), subdivisions=1)
    organ = surface(mesh)
    rotated_grid = oblique(
        (0.9, 1.4, 2.6), trimesh.transformations.euler_matrix(2 * a, 2 * b, 2 * c), 24, mirrored
    )
    index = np.argwhere(np.ones(rotated_grid.shape, bool))
    p_P = rotated_grid.to_patient(index * rotated_grid.spacing_mm)
    # A ball's polyhedron is convex: a point is inside if it is behind all faces.
    normals, levels = mesh.face_normals, np.einsum("ij,ij->i", mesh.face_normals, mesh.triangles[:, 0])
    signed_distances = p_P @ normals.T - levels
    inside = (signed_distances < 0).all(axis=1).reshape(rotated_grid.shape)
    assert (voxelise(organ, rotated_grid, touching=False) == inside).all()
    touched = voxelise(organ, rotated_grid, touching=True)
    # A box in front of a face by more than its extent along the normal is certainly not touched.
    reach = np.abs(rotated_grid.vectors_to_box(np.array(normals))) @ (0.5 * rotated_grid.spacing_mm)
    separate = (signed_distances > reach + 1e-6).any(axis=1).reshape(rotated_grid.shape)
    assert not (touched & separate).any()
    assert not (inside & ~touched).any()
    # No point of the solid lies outside the touched boxes.
    rng = np.random.default_rng(3)
    weights = rng.dirichlet(np.ones(3), 4000)
    on_P = np.einsum("nc,ncd->nd", weights, np.array(mesh.triangles)[rng.integers(0, len(mesh.faces), 4000)])
    n_V = np.rint(rotated_grid.to_box(on_P) / rotated_grid.spacing_mm).astype(int)
    in_view = ((n_V >= 0) & (n_V < rotated_grid.shape)).all(axis=1)
    assert in_view.any()
    assert touched[tuple(n_V[in_view].T)].all()


def test_surfaces_beyond_the_grid_are_cut_and_still_count_inside() -> None:
    small_grid = Grid((4, 4, 4), np.eye(4))
    assert voxelise(surface(box((-50, -50, -50), (50, 50, 50))), small_grid, touching=False).all()
    assert voxelise(surface(box((-50, -50, -50), (50, 50, 1.2))), small_grid, touching=False)[:, :, :2].all()
    assert not voxelise(surface(box((-50, -50, -50), (50, 50, 1.2))), small_grid, touching=False)[
        :, :, 2:
    ].any()
    assert not voxelise(surface(box((60, 60, 60), (70, 70, 70))), small_grid, touching=True).any()


def test_a_thin_sheet_between_centres_is_touched_but_contains_no_centre() -> None:
    sheet = surface(box((-10, -10, 0.1), (10, 10, 0.3)))
    even = grid(n=30)  # centres at half millimetres
    assert not voxelise(sheet, even, touching=False).any()
    assert np.count_nonzero(voxelise(sheet, even, touching=True)) >= 20 * 20


def test_a_body_between_centres_counts_as_lost_and_one_inside_another_does_not() -> None:
    grid = Grid((12, 12, 12), np.diag([5.0, 5.0, 5.0, 1.0]))

    def hollow(radius: float) -> trimesh.Trimesh:
        voxels = ball(radius, (20.0, 20.0, 20.0))
        voxels.invert()
        return voxels

    for parts, lost in (
        ([], 0),
        ([ball(2.0, (42.5, 42.5, 42.5))], 1),
        ([ball(2.0, (42.5, 42.5, 42.5)), ball(1.5, (2.5, 2.5, 2.5))], 2),
        ([ball(2.0, (45.0, 45.0, 45.0))], 0),
        ([ball(2.0, (22.5, 22.5, 22.5))], 0),
        ([hollow(4.0)], 0),
        ([hollow(9.0)], 0),
    ):
        node = surface(ball(12.0, (20.0, 20.0, 20.0)), *parts)
        assert bodies_without_voxels("organ", node, grid) == lost


COARSE = Grid((12, 12, 12), np.diag([5.0, 5.0, 5.0, 1.0]))


def rod(start, end, radius: float = 1.5) -> trimesh.Trimesh:
    return trimesh.creation.cylinder(radius, segment=np.array([start, end], float), sections=24)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("parts", "lost"),
    [
        ([rod((22.5, 22.5, 23.5), (22.5, 22.5, 53.5))], 1),
        ([rod((22.5, 22.5, 15.0), (22.5, 22.5, 32.0))], 1),
        ([rod((22.5, 22.5, 2.5), (22.5, 22.5, 42.5))], 1),
        ([rod((22.5, 22.5, 17.0), (22.5, 22.5, 28.0))], 0),
        ([ball(9.0, (22.5, 22.5, 52.5)), rod((22.5, 22.5, 22.5), (22.5, 22.5, 52.5))], 1),
        ([rod((25.5, 22.5, 22.0), (41.5, 22.5, 38.0), 0.8)], 1),
        ([ball(1.9, (42.5, 42.5, 42.5)), ball(1.9, (42.5, 42.5, 43.0))], 2),
        ([ball(1.9, (42.5, 42.5, 42.5)), ball(1.0, (42.5, 42.5, 42.5))], 1),
        ([ball(1.9 * scale, (42.5, 42.5, 42.5)) for scale in (1.0, 1.0001)], 1),
        ([ball(1.9 * scale, (42.5, 42.5, 42.5)) for scale in (1.0001, 1.0, 1.0003)], 1),
        ([ball(1.9, (42.5, 42.5, 42.5)), ball(1.9, (42.5, 42.5, 42.501))], 1),
        ([rod((22.5, 22.5, 15.0), (22.5, 22.5, 32.0), radius) for radius in (1.5, 1.5005)], 1),
        ([ball(1.9 * scale, (22.5, 22.5, 22.5)) for scale in (1.0, 1.0001)], 0),
    ],
    ids=[
        *("sticks out", "sticks out a little", "runs through", "lies within", "bridges two"),
        *("slants past voxels", "two that overlap", "one in another"),
        *("meshed twice", "meshed three times", "meshed twice, shifted", "sticks out, meshed twice"),
        "meshed twice within another",
    ],
)
def test_a_part_that_sticks_out_between_centres_is_lost_for_any_order_of_triangles(parts, lost, seed) -> None:
    node = trimesh.util.concatenate([ball(9.0, (22.5, 22.5, 22.5)), *parts])
    faces = np.random.default_rng(seed).permutation(np.array(node.faces))
    checked = checked_surface("node", np.array(node.vertices), faces)
    assert bodies_without_voxels("organ", checked, COARSE) == lost


def test_overlapping_cavities_are_no_lost_parts() -> None:
    bubbles = [inverted(ball(1.9, (22.5, 22.5, z))) for z in (22.5, 23.0)]
    assert bodies_without_voxels("organ", surface(ball(9.0, (22.5, 22.5, 22.5)), *bubbles), COARSE) == 0


def test_a_part_that_shares_a_face_with_the_surrounding_one_is_not_lost() -> None:
    node = surface(box((6, 6, 6), (34, 34, 34)), box((31, 31, 31), (34, 34, 34)))
    assert bodies_without_voxels("organ", node, COARSE) == 0


@pytest.mark.parametrize("seed", range(6))
def test_an_inside_out_part_that_sticks_out_is_no_cavity_for_any_order_of_triangles(seed: int) -> None:
    mesh = trimesh.util.concatenate([ball(9.0), inverted(rod((0, 0, 0), (0, 0, 30), 3.0))])
    faces = np.random.default_rng(seed).permutation(np.array(mesh.faces))
    checked = checked_surface("organ", np.array(mesh.vertices), faces)
    masks = (
        voxelise(surface(m), grid(), touching=False) for m in (ball(9.0), rod((0, 0, 0), (0, 0, 30), 3.0))
    )
    assert (voxelise(checked, grid(), touching=False) == np.logical_or(*masks)).all()


@pytest.mark.parametrize("out_mm", [0.2, 0.5, 2.0, 3.5])
def test_a_cavity_that_breaks_through_its_wall_stays_hollow(out_mm: float) -> None:
    """For example, a tumour cut out of a lung at its pleura. The part that breaks through counts as
    inside."""
    wall, hole = ball(10.0), ball(5.0, (0.0, 0.0, 5.0 + out_mm))
    voxels = voxelise(surface(wall, inverted(hole)), grid(), touching=False)
    full, core = (voxelise(surface(m), grid(), touching=False) for m in (wall, hole))
    assert (voxels == full ^ core).all()


@pytest.mark.parametrize(("top", "hollow"), [(16.0, True), (20.0, False)])
def test_the_larger_share_decides_between_a_cavity_and_an_inside_out_part(top: float, hollow: bool) -> None:
    """A rod from the middle of a cube, 10 mm below its face, to `top`."""
    cube, post = box((-10, -10, -10), (10, 10, 10)), box((-2, -2, 0), (2, 2, top + 0.1))
    voxels = voxelise(surface(cube, inverted(post)), grid((1.0, 1.0, 1.0), 50), touching=False)
    full, core = (voxelise(surface(m), grid((1.0, 1.0, 1.0), 50), touching=False) for m in (cube, post))
    assert (voxels == (full ^ core if hollow else full | core)).all()


def test_an_inside_out_part_around_a_smaller_one_is_no_cavity() -> None:
    voxels = voxelise(surface(ball(10.0), inverted(ball(11.0))), grid(), touching=False)
    assert (voxels == voxelise(surface(ball(11.0)), grid(), touching=False)).all()


def test_overlapping_bodies_are_filled_and_cavities_stay_empty() -> None:
    joined = voxelise(surface(ball(6), ball(6, (4, 0, 0))), grid(), touching=False)
    single_masks = [voxelise(surface(b), grid(), touching=False) for b in (ball(6), ball(6, (4, 0, 0)))]
    assert (joined == single_masks[0] | single_masks[1]).all()
    hollow = voxelise(surface(ball(10), inverted(ball(5))), grid(), touching=False)
    full, core = (voxelise(surface(b), grid(), touching=False) for b in (ball(10), ball(5)))
    assert (hollow == full & ~core).all()


@settings(max_examples=20)
@given(st.floats(0.5, 3.0), st.floats(0, 20), st.integers(1000, 100_000))
def test_a_grid_around_surfaces_contains_them_with_padding_within_the_limit(
    voxel_mm: float, padding_mm: float, max_voxels: int
) -> None:
    organs = [surface(ball(10, (40, -20, 900))), surface(box((0, 0, 870), (3, 3, 890)))]
    grid = grid_around(organs, voxel_mm, padding_mm, max_voxels)
    assert np.prod(grid.shape) <= max_voxels
    for organ in organs:
        p_B = grid.to_box(organ.vertices_P)
        assert (p_B >= grid.lower_B + padding_mm - 1e-6).all()
        assert (p_B <= grid.upper_B - padding_mm + 1e-6).all()


def test_a_grid_around_nothing_is_refused() -> None:
    with pytest.raises(SurfaceError, match="none"):
        grid_around([])
