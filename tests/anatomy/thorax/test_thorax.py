"""The built-in thorax: complete, lopsided where a body is, equal to its formulas, and with ways in."""

import itertools

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from anatomy.errors import AnatomyError
from anatomy.names.roles import is_known, role_of
from anatomy.patient.pose import Position
from anatomy.structures import Role, Segmentation, Structure
from anatomy.thorax import ThoraxParameters, field_of_view_P, solids, thorax
from anatomy.thorax.cage import rib_line, sternal_half_width_mm
from anatomy.thorax.mediastinum import MAMMARY_ARTERY_MM, MAMMARY_RADIUS_MM, MAMMARY_VEIN_MM
from anatomy.thorax.outlines import skin
from anatomy.thorax.parameters import chest
from anatomy.thorax.solids.primitives import Ellipsoid
from anatomy.thorax.solids.solid import Solid
from anatomy.thorax.table_and_cushion import support

LOBES = (
    "lung_upper_lobe_left",
    "lung_lower_lobe_left",
    "lung_upper_lobe_right",
    "lung_middle_lobe_right",
    "lung_lower_lobe_right",
)
TARGETS = ("node_3A", "node_4R", "node_5", "node_7", "lesion_lung_right")
NEED_MM = 0.635 + 2.0
"""18 G needle's radius and the default clearance."""

JUNCTIONS = (
    {"aorta_ascending", "aorta_arch"},
    {"aorta_arch", "aorta"},
    {"aorta_arch", "brachiocephalic_trunk"},
    {"aorta_arch", "common_carotid_artery_left"},
    {"aorta_arch", "subclavian_artery_left"},
    {"pulmonary_trunk", "pulmonary_artery_right"},
    {"pulmonary_trunk", "pulmonary_artery_left"},
    {"pulmonary_artery_right", "pulmonary_artery_left"},
    {"superior_vena_cava", "azygos_vein"},
    {"superior_vena_cava", "brachiocephalic_vein_right"},
    {"superior_vena_cava", "brachiocephalic_vein_left"},
    {"brachiocephalic_vein_right", "brachiocephalic_vein_left"},
    {"trachea", "main_bronchus_right"},
    {"trachea", "main_bronchus_left"},
    {"main_bronchus_right", "main_bronchus_left"},
)
"""Organs that run into one another; ribs run into their cartilages besides."""


@pytest.fixture(scope="module")
def built() -> Segmentation:
    return thorax(1.5)


@pytest.fixture(scope="module")
def coarse() -> Segmentation:
    return thorax(20.0)


@pytest.fixture(scope="module")
def truth() -> dict[str, Solid]:
    return solids()


@pytest.fixture(scope="module")
def by_name(built: Segmentation) -> dict[str, Structure]:
    return {s.name: s for s in built.structures}


def centroid_P(built: Segmentation, structure: Structure) -> np.ndarray:
    inside_V = np.argwhere(structure.mask.cropped()) + np.array(structure.mask.lower)
    return built.grid.to_patient(inside_V * built.grid.spacing_mm).mean(axis=0)


def shared_voxels(a: Structure, b: Structure) -> int:
    lower = np.maximum(a.mask.lower, b.mask.lower)
    upper = np.minimum(a.mask.upper, b.mask.upper)
    if (lower >= upper).any():
        return 0
    box = tuple(slice(int(p), int(q)) for p, q in zip(lower, upper, strict=True))
    both = (a.mask.layer[box] == a.mask.label) & (b.mask.layer[box] == b.mask.label)
    return int(np.count_nonzero(both))


def painted(built: Segmentation, *roles: Role) -> np.ndarray:
    union = np.zeros(built.grid.shape, dtype=bool)
    for s in built.structures:
        if s.role in roles:
            s.mask.paint(union, True)
    return union


def test_every_structure_the_issue_names_is_there(by_name: dict[str, Structure]) -> None:
    sides = ("left", "right")
    wanted = {
        "body",
        *LOBES,
        *(f"rib_{side}_{n}" for side in sides for n in range(1, 13)),
        *(
            f"{name}_{side}"
            for side in sides
            for name in ("costal_cartilage", "clavicula", "scapula", "internal_mammary_vessels")
        ),
        *(f"{name}_{side}" for side in sides for name in ("pulmonary_artery", "main_bronchus")),
        *(f"vertebrae_T{n}" for n in range(1, 13)),
        *("sternum", "spinal_cord", "heart", "aorta_ascending", "aorta_arch", "aorta", "pulmonary_trunk"),
        *("superior_vena_cava", "inferior_vena_cava", "azygos_vein", "pulmonary_vein"),
        *("trachea", "esophagus", "liver", "table", "cushion"),
        *TARGETS,
    }
    assert wanted <= set(by_name)
    assert all(s.mask.count > 0 for s in by_name.values())


def test_roles_agree_with_what_the_names_imply(built: Segmentation) -> None:
    for s in built.structures:
        assert is_known(s.name), s.name
        assert s.role is role_of(s.name), s.name


def test_left_and_right_are_where_they_belong(built: Segmentation, by_name: dict[str, Structure]) -> None:
    for name in ("heart", "aorta", "aorta_arch", "node_5", "stomach", "spleen", "pulmonary_trunk"):
        assert centroid_P(built, by_name[name])[0] > 4.0, name
    for name in ("liver", "azygos_vein", "superior_vena_cava", "inferior_vena_cava", "node_4R"):
        assert centroid_P(built, by_name[name])[0] < -4.0, name
    for name, structure in by_name.items():
        if "left" in name:
            assert centroid_P(built, structure)[0] > 0.0, name
        if "right" in name:
            assert centroid_P(built, structure)[0] < 0.0, name


def test_a_flipped_side_shows(built: Segmentation) -> None:
    forbidden = painted(built, Role.FORBIDDEN)
    lung = painted(built, Role.LUNG)
    for volume in (forbidden, lung):
        differing = np.count_nonzero(volume ^ volume[::-1]) / np.count_nonzero(volume)
        assert differing > 0.15


def test_organs_follow_one_another_from_front_to_back(truth: dict[str, Solid]) -> None:
    """Rays from anterior to posterior, at the level of the arch and of the carina."""

    def first_y(name: str, x: float, z: float) -> float:
        y = np.arange(-140.0, 180.0, 0.25)
        ray_P = np.stack([np.full_like(y, x), y, np.full_like(y, z)], axis=1)
        inside = truth[name].contains(ray_P)
        assert inside.any(), (name, x, z)
        return float(y[inside][0])

    def in_order(x: float, z: float, *names: str) -> None:
        depths = [first_y(name, x, z) for name in names]
        assert depths == sorted(depths), (x, z, names, depths)

    in_order(0.0, 15.0, "body", "sternum", "node_3A", "trachea", "esophagus", "vertebrae_T4", "spinal_cord")
    in_order(0.0, -20.0, "sternum", "aorta_ascending", "pulmonary_artery_right", "esophagus")
    in_order(0.0, -30.0, "body", "sternum", "aorta_ascending", "node_7", "esophagus", "vertebrae_T6")
    in_order(4.0, -58.0, "sternum", "heart", "esophagus", "vertebrae_T7", "spinal_cord", "cushion", "table")
    in_order(28.0, -80.0, "heart", "aorta")
    in_order(-31.0, 18.0, "superior_vena_cava", "lung_upper_lobe_right")


def test_organs_lie_above_one_another(built: Segmentation, by_name: dict[str, Structure]) -> None:
    z = {name: centroid_P(built, s)[2] for name, s in by_name.items() if s.role is not Role.SKIN}
    assert z["node_7"] < 0.0 < z["node_4R"]
    assert z["main_bronchus_left"] < z["pulmonary_artery_left"] < z["aorta_arch"]
    assert z["lung_lower_lobe_right"] < z["lung_middle_lobe_right"] < z["lung_upper_lobe_right"]
    for side in ("left", "right"):
        heights = [z[f"rib_{side}_{n}"] for n in range(1, 13)]
        assert heights == sorted(heights, reverse=True)
    levels = [z[f"vertebrae_T{n}"] for n in range(1, 13)]
    assert levels == sorted(levels, reverse=True)
    liver_top, stomach_top = by_name["liver"].mask.upper[2], by_name["stomach"].mask.upper[2]
    assert liver_top > stomach_top


def test_ribs_sink_on_their_way_forward(truth: dict[str, Solid]) -> None:
    for number in range(1, 11):
        line = rib_line(chest(ThoraxParameters()), number, 1.0)
        assert line[0, 1] > line[-1, 1]
        assert line[0, 2] - line[-1, 2] > 30.0


def test_an_intercostal_space_lets_a_needle_through(truth: dict[str, Solid]) -> None:
    """On the flank, from rib to rib, at least a centimetre is free: needle and clearance take 5.3 mm."""
    z = np.arange(20.0, -150.0, -0.1)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        lateral = [rib_line(chest(ThoraxParameters()), n, sign) for n in range(1, 11)]
        at = np.array([line[np.argmax(np.abs(line[:, 0]))] for line in lateral])[::-1]
        x = np.interp(z, at[:, 2], at[:, 0])
        y = np.interp(z, at[:, 2], at[:, 1])
        bone = np.zeros(len(z), dtype=bool)
        for n in range(1, 13):
            bone |= truth[f"rib_{side}_{n}"].contains(np.stack([x, y, z], axis=1))
        free, count = ndimage.label(~bone)
        inner = [0.1 * np.count_nonzero(free == n) for n in range(2, count)]
        assert len(inner) >= 5
        assert min(inner) > 10.0
        assert max(inner) < 20.0


def test_mammary_vessels_lie_beside_the_sternum_as_published(truth: dict[str, Solid]) -> None:
    edge = sternal_half_width_mm(chest(ThoraxParameters()), -40.0)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        y, x = np.meshgrid(np.arange(-95.0, -60.0, 0.2), sign * np.arange(20.0, 45.0, 0.2))
        flat_P = np.stack([x.ravel(), y.ravel(), np.full(x.size, -40.0)], axis=1)
        lateral = np.abs(flat_P[truth[f"internal_mammary_vessels_{side}"].contains(flat_P), 0]) - edge
        assert lateral.min() == pytest.approx(MAMMARY_VEIN_MM - MAMMARY_RADIUS_MM, abs=0.3)
        assert lateral.max() == pytest.approx(MAMMARY_ARTERY_MM + MAMMARY_RADIUS_MM, abs=0.3)


def test_voxels_are_the_formulas_at_voxel_centres(
    built: Segmentation, by_name: dict[str, Structure], truth: dict[str, Solid]
) -> None:
    rng = np.random.default_rng(0)
    for name, solid in truth.items():
        mask = by_name[name].mask
        lower = np.maximum(np.array(mask.lower) - 3, 0)
        upper = np.minimum(np.array(mask.upper) + 3, built.grid.shape)
        p_V = rng.integers(lower, upper, size=(1500, 3))
        p_P = built.grid.to_patient(p_V * built.grid.spacing_mm)
        assert np.array_equal(mask.layer[tuple(p_V.T)] == mask.label, solid.contains(p_P)), name


@pytest.mark.parametrize("name", TARGETS)
def test_an_ellipsoids_voxels_have_its_volume(
    name: str, built: Segmentation, by_name: dict[str, Structure], truth: dict[str, Solid]
) -> None:
    solid = truth[name]
    assert isinstance(solid, Ellipsoid)
    volume_mm3 = by_name[name].mask.count * built.grid.voxel_volume_mm3
    assert volume_mm3 == pytest.approx(solid.volume_mm3, rel=0.05)


@pytest.mark.parametrize("name", ["heart", "liver", "lung_upper_lobe_left", "trachea", "body"])
def test_voxel_volume_is_the_solids_volume(
    name: str, built: Segmentation, by_name: dict[str, Structure], truth: dict[str, Solid]
) -> None:
    """Against random points."""
    volume_mm3 = by_name[name].mask.count * built.grid.voxel_volume_mm3
    solid = truth[name]
    low_B, high_B = built.grid.lower_B, built.grid.upper_B
    low = np.maximum(solid.bounds_P[0], built.grid.to_patient(low_B))
    high = np.minimum(solid.bounds_P[1], built.grid.to_patient(high_B))
    count = 60_000
    hit = solid.contains(np.random.default_rng(1).uniform(low, high, size=(count, 3))).mean()
    four_sigma = 4.0 * np.sqrt(hit * (1.0 - hit) / count)
    assert volume_mm3 / np.prod(high - low) == pytest.approx(hit, abs=four_sigma + 0.002)


def test_organs_have_an_adults_size(built: Segmentation, by_name: dict[str, Structure]) -> None:
    def ml(*names: str) -> float:
        return sum(by_name[n].mask.count for n in names) * built.grid.voxel_volume_mm3 / 1000.0

    assert 3500.0 < ml(*LOBES) < 6000.0
    assert ml(*LOBES[2:]) > ml(*LOBES[:2])
    assert 400.0 < ml("heart") < 800.0


def test_lobes_share_no_voxel_and_touch_no_forbidden_organ(built: Segmentation) -> None:
    lobes = [s for s in built.structures if s.role is Role.LUNG]
    assert sorted(s.name for s in lobes) == sorted(LOBES)
    for a, b in itertools.combinations(lobes, 2):
        assert shared_voxels(a, b) == 0, (a.name, b.name)
    for lobe, organ in itertools.product(lobes, built.structures):
        if organ.role in (Role.FORBIDDEN, Role.OUTSIDE):
            assert shared_voxels(lobe, organ) == 0, (lobe.name, organ.name)


def test_organs_overlap_only_where_they_run_into_one_another(built: Segmentation) -> None:
    organs = [s for s in built.structures if s.role in (Role.FORBIDDEN, Role.OUTSIDE)]
    for a, b in itertools.combinations(organs, 2):
        bone_to_cartilage = a.name.startswith("rib_") and b.name.startswith("costal_cartilage")
        if {a.name, b.name} in JUNCTIONS or bone_to_cartilage:
            continue
        assert shared_voxels(a, b) == 0, (a.name, b.name)


def test_targets_touch_nothing_that_is_forbidden(by_name: dict[str, Structure]) -> None:
    for name in TARGETS:
        over = {other.name for other in by_name.values() if shared_voxels(by_name[name], other)} - {name}
        expected = {"body", "lung_upper_lobe_right"} if name.startswith("lesion") else {"body"}
        assert over == expected, name


def test_organs_are_whole(built: Segmentation) -> None:
    touching = np.ones((3, 3, 3))
    for s in built.structures:
        parts = {"pulmonary_vein": 3}.get(s.name, 2 if "mammary" in s.name else 1)
        if s.name.startswith("costal_cartilage"):
            continue
        assert ndimage.label(s.mask.cropped(), touching)[1] == parts, s.name


def test_everything_but_table_and_cushion_is_inside_the_skin(
    built: Segmentation, by_name: dict[str, Structure]
) -> None:
    body = by_name["body"].mask
    for s in built.structures:
        inside = (body.layer[s.mask.slices] == body.label)[s.mask.cropped()]
        if s.role is Role.OUTSIDE:
            assert not inside.any(), s.name
        else:
            assert inside.all(), s.name


def test_the_body_is_cut_above_and_below_and_has_air_around(by_name: dict[str, Structure]) -> None:
    mask = by_name["body"].mask
    nx, ny, nz = mask.layer.shape
    assert (mask.layer[:, :, 0] == mask.label).any()
    assert (mask.layer[:, :, nz - 1] == mask.label).any()
    assert min(mask.lower[0], nx - mask.upper[0], mask.lower[1], ny - mask.upper[1]) * 1.5 >= 15.0


@pytest.mark.parametrize(
    ("position", "axis", "sign"),
    [
        (Position.SUPINE, 1, 1.0),
        (Position.PRONE, 1, -1.0),
        (Position.LEFT_LATERAL, 0, 1.0),
        (Position.RIGHT_LATERAL, 0, -1.0),
    ],
)
def test_table_and_cushion_lie_where_gravity_points(position: Position, axis: int, sign: float) -> None:
    """A ray along gravity leaves the skin, crosses the cushion, and reaches the table."""
    body = skin(chest(ThoraxParameters()))
    lying = {"body": body, **support(body, position)}
    along = np.arange(0.0, 300.0, 0.5)
    ray_P = np.zeros((len(along), 3))
    ray_P[:, axis] = sign * along
    ray_P[:, 2] = -40.0
    spans = [along[lying[name].contains(ray_P)] for name in ("body", "cushion", "table")]
    for nearer, farther in itertools.pairwise(spans):
        assert nearer[-1] < farther[0]
    ray_P[:, axis] *= -1.0
    assert not lying["table"].contains(ray_P).any()
    assert not lying["cushion"].contains(ray_P).any()
    seen = field_of_view_P(ThoraxParameters(position=position))
    edge = seen[1 if sign > 0 else 0, axis]
    assert abs(edge) > abs(spans[2][0])


def test_equal_work_gives_equal_voxels_and_digest(coarse: Segmentation) -> None:
    again = thorax((20.0, 20.0, 20.0))
    assert again.inputs == coarse.inputs
    assert again.inputs[0].name == "built-in thorax"
    assert again.names() == coarse.names()
    for a, b in zip(again.structures, coarse.structures, strict=True):
        assert np.array_equal(a.mask.layer, b.mask.layer)
        assert (a.mask.label, a.mask.lower, a.mask.upper) == (b.mask.label, b.mask.lower, b.mask.upper)


def test_organs_stay_when_the_patient_is_turned(truth: dict[str, Solid]) -> None:
    prone = solids(ThoraxParameters(position=Position.PRONE))
    assert set(prone) == set(truth)
    for name in set(truth) - {"table", "cushion"}:
        assert np.array_equal(prone[name].bounds_P, truth[name].bounds_P), name


def test_different_inputs_have_different_digests() -> None:
    turned = Rotation.from_euler("z", 5.0, degrees=True).as_matrix()
    spacing, along = (8.0, 8.0, 8.0), np.eye(3)
    digests = {
        ThoraxParameters().sha256(spacing, along),
        ThoraxParameters().sha256((8.0, 8.0, 9.0), along),
        ThoraxParameters().sha256(spacing, turned),
        ThoraxParameters(node_4R_mm=20.0).sha256(spacing, along),
        ThoraxParameters(position=Position.PRONE).sha256(spacing, along),
    }
    assert len(digests) == 5
    assert all(len(digest) == 64 for digest in digests)


@pytest.mark.long
def test_an_oblique_grid_shows_the_same_patient(truth: dict[str, Solid]) -> None:
    turned = Rotation.from_euler("xyz", [7.0, -5.0, 12.0], degrees=True).as_matrix()
    oblique = thorax((4.0, 3.5, 5.0), R_PB=turned)
    assert np.allclose(oblique.grid.R_PB, turned)
    corners_P = np.array(list(itertools.product(*field_of_view_P().T)))
    corners_B = oblique.grid.to_box(corners_P)
    assert (corners_B >= oblique.grid.lower_B - 1e-6).all()
    assert (corners_B <= oblique.grid.upper_B + 1e-6).all()
    rng = np.random.default_rng(3)
    for s in oblique.structures:
        p_V = rng.integers(0, oblique.grid.shape, size=(300, 3))
        near_V = rng.integers(s.mask.lower, s.mask.upper, size=(300, 3))
        for at_V in (p_V, near_V):
            p_P = oblique.grid.to_patient(at_V * oblique.grid.spacing_mm)
            assert np.array_equal(s.mask.layer[tuple(at_V.T)] == s.mask.label, truth[s.name].contains(p_P)), (
                s.name
            )


@pytest.mark.representative(1)
@pytest.mark.parametrize(
    "parameters",
    [
        ThoraxParameters(chest_width_mm=310.0, chest_depth_mm=205.0, chest_length_mm=230.0, node_3A_mm=12.0,
                         node_4R_mm=18.0, node_5_mm=14.0, node_7_mm=16.0, lesion_mm=15.0),
        ThoraxParameters(chest_width_mm=455.0, chest_depth_mm=295.0, chest_length_mm=325.0, lesion_mm=40.0),
        ThoraxParameters(chest_width_mm=440.0, chest_depth_mm=220.0),
        ThoraxParameters(node_3A_mm=26.0, node_4R_mm=26.0, node_5_mm=18.0, node_7_mm=24.0),
    ],
    ids=["small", "large", "flat", "bulky nodes"],
)  # fmt: skip
def test_other_sizes_keep_organs_apart(parameters: ThoraxParameters) -> None:
    other = thorax(3.0, parameters)
    forbidden, lung = painted(other, Role.FORBIDDEN), painted(other, Role.LUNG)
    targets, body = painted(other, Role.TARGET), painted(other, Role.SKIN)
    assert not (forbidden & targets).any()
    assert not (forbidden & lung).any()
    assert not ((forbidden | lung | targets) & ~body).any()
    width = other.grid.spacing_mm[0] * np.ptp(np.flatnonzero(body.any(axis=(1, 2))))
    assert width == pytest.approx(parameters.chest_width_mm, abs=6.0)
    lesion = next(s for s in other.structures if s.name == "lesion_lung_right")
    across = np.array(lesion.mask.upper) - np.array(lesion.mask.lower)
    assert across * 3.0 == pytest.approx(parameters.lesion_mm, abs=6.0)


@pytest.fixture(scope="module")
def blocked_distance_mm(built: Segmentation) -> np.ndarray:
    """From each voxel's centre to the nearest centre of a voxel that blocks."""
    blocked = painted(built, Role.FORBIDDEN, Role.OUTSIDE)
    return ndimage.distance_transform_edt(~blocked, sampling=built.grid.spacing_mm)


def safe_lines(built: Segmentation, distance: np.ndarray, target: Structure, count: int) -> tuple[int, float]:
    """Random lines out of a target that keep NEED_MM from all that blocks, as far as 200 mm: their number,
    and the least lung one of them crosses. [mm]"""
    grid = built.grid
    spacing = grid.spacing_mm[0]
    lung, body = painted(built, Role.LUNG), painted(built, Role.SKIN)
    rng = np.random.default_rng(7)
    inside_V = np.argwhere(target.mask.cropped()) + np.array(target.mask.lower)
    start_B = inside_V[rng.integers(len(inside_V), size=count)] * spacing
    outward = rng.normal(size=(count, 3))
    outward /= np.linalg.norm(outward, axis=1)[:, None]
    alive, free_skin = np.ones(count, dtype=bool), np.zeros(count, dtype=bool)
    lung_mm = np.zeros(count)
    for depth in np.arange(0.0, 200.0, spacing):
        p_V = np.rint((start_B + depth * outward) / spacing).astype(int)
        seen = ((p_V >= 0) & (p_V < np.array(grid.shape))).all(axis=1)
        at = tuple(np.clip(p_V, 0, np.array(grid.shape) - 1).T)
        # From centre to centre; half a voxel's diagonal more is on the safe side.
        alive &= distance[at] >= NEED_MM + spacing * np.sqrt(3.0) / 2
        leaves = ~body[at] & ~free_skin
        alive &= ~(leaves & ~seen) & ~(free_skin & body[at])
        free_skin |= leaves
        lung_mm += spacing * (lung[at] & ~free_skin)
    safe = alive & free_skin
    return int(safe.sum()), float(lung_mm[safe].min(initial=np.inf))


@pytest.mark.parametrize(
    ("name", "most_lung_mm"),
    [("node_3A", 0.0), ("node_4R", 40.0), ("node_5", 10.0), ("node_7", 130.0), ("lesion_lung_right", 30.0)],
)
def test_every_target_has_a_safe_straight_way_in(
    name: str,
    most_lung_mm: float,
    built: Segmentation,
    by_name: dict[str, Structure],
    blocked_distance_mm: np.ndarray,
) -> None:
    count, least_lung_mm = safe_lines(built, blocked_distance_mm, by_name[name], 30_000)
    assert count > 0
    assert least_lung_mm <= most_lung_mm


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("chest_width_mm", 38.0),
        ("chest_depth_mm", float("nan")),
        ("chest_length_mm", -1.0),
        ("node_4R_mm", 60.0),
        ("lesion_mm", 0.0),
    ],
)
def test_absurd_sizes_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(AnatomyError, match=f"thorax/{field}"):
        ThoraxParameters(**{field: value})


def test_a_small_chest_holds_no_large_node() -> None:
    with pytest.raises(AnatomyError, match="thorax/node_4R_mm"):
        ThoraxParameters(chest_width_mm=310.0, node_3A_mm=12.0, node_4R_mm=26.0)


@pytest.mark.parametrize("spacing", [0.0, -1.0, 40.0, float("nan"), (1.0, 1.0, float("inf")), 0.1])
def test_absurd_spacings_are_refused(spacing: float | tuple[float, float, float]) -> None:
    with pytest.raises(AnatomyError, match="thorax/spacing_mm"):
        thorax(spacing)


@pytest.mark.parametrize("axes", [np.diag([1.0, 1.0, -1.0]), np.diag([1.0, 1.0, 2.0]), np.zeros((3, 3))])
def test_axes_that_are_no_rotation_are_refused(axes: np.ndarray) -> None:
    with pytest.raises(AnatomyError, match="thorax/R_PB"):
        thorax(8.0, R_PB=axes)


def test_a_voxel_coarser_than_a_node_leaves_it_empty_not_wrong(
    coarse: Segmentation, truth: dict[str, Solid]
) -> None:
    assert set(coarse.names()) == set(truth)
    assert any(s.mask.count == 0 for s in coarse.structures)
