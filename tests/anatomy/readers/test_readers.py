"""Readers: every format gives the same structures at the same positions."""

import hashlib
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from case_files import (
    NAMES,
    OBLIQUE,
    body_labels,
    label_table,
    write_names,
    write_nifti,
    write_seg_nrrd,
)

from anatomy.errors import FrameMismatch, ReadError, StructureError, SurfaceError
from anatomy.geometry.frames import Grid
from anatomy.readers.mesh.mesh_axes import MeshAxes
from anatomy.readers.read import read
from anatomy.structures import Role, Segmentation


def points_P(segmentation: Segmentation, name: str) -> np.ndarray:
    """Centres of a structure's voxels, sorted. [mm]"""
    mask = next(s.mask for s in segmentation.structures if s.name == name)
    index = np.argwhere(mask.cropped()) + np.array(mask.lower)
    p_P = segmentation.grid.to_patient(index * segmentation.grid.spacing_mm)
    return p_P[np.lexsort(np.round(p_P, 3).T)]


def true_points_P(labels: np.ndarray, label: int, X_PV: np.ndarray = OBLIQUE) -> np.ndarray:
    p_P = np.argwhere(labels == label) @ X_PV[:3, :3].T + X_PV[:3, 3]
    return np.asarray(p_P[np.lexsort(np.round(p_P, 3).T)])


def assert_in_place(segmentation: Segmentation) -> None:
    assert segmentation.names() == tuple(NAMES.values())
    for label, name in NAMES.items():
        assert points_P(segmentation, name) == pytest.approx(
            true_points_P(body_labels(), int(label)), abs=2e-3
        )


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_label_map_of_any_number_type(tmp_path: Path, dtype: str, suffix: str) -> None:
    path = write_nifti(tmp_path / f"labels{suffix}", body_labels().astype(dtype))
    segmentation, targets = read(path, names=write_names(tmp_path / "labels.json"))
    assert_in_place(segmentation)
    assert targets == ()
    assert segmentation.structures[0].mask.layer.dtype == np.uint8
    assert segmentation.surface_slack_mm == 0.0


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flip", [(False, True, False), (True, False, True)])
def test_a_label_map_in_any_storage_order(
    tmp_path: Path, order: tuple[int, int, int], flip: tuple[bool, bool, bool]
) -> None:
    stored, X = body_labels(), OBLIQUE.copy()
    for axis in range(3):
        if flip[axis]:
            stored = np.flip(stored, axis)
            X[:3, 3] += X[:3, axis] * (stored.shape[axis] - 1)
            X[:3, axis] *= -1
    path = write_nifti(tmp_path / "labels.nii.gz", stored.transpose(order), X[:, [*order, 3]])
    segmentation, _ = read(path, names=write_names(tmp_path / "labels.json"))
    assert_in_place(segmentation)
    assert segmentation.grid.shape == body_labels().shape


@pytest.mark.parametrize(
    "table",
    [
        NAMES,
        {"0": "background", **NAMES, "9": "aorta"},
        {"background": 0, "body": 1, "heart": 2, "node_4R": 3},
        {"labels": {"background": 0, "body": 1, "heart": 2, "node_4R": 3}, "file_ending": ".nii.gz"},
    ],
)
def test_names_tables_may_map_in_either_direction(tmp_path: Path, table: dict[str, object]) -> None:
    path = write_nifti(tmp_path / "labels.nii.gz", body_labels())
    segmentation, _ = read(path, names=write_names(tmp_path / "labels.json", table))
    filled = [s.name for s in segmentation.structures if s.mask.count]
    assert filled == list(NAMES.values())


@pytest.mark.parametrize("version", [1, 2])
def test_names_embedded_by_totalsegmentator_are_read(tmp_path: Path, version: int) -> None:
    path = write_nifti(tmp_path / "s.nii.gz", body_labels(), extension=label_table(), version=version)
    assert_in_place(read(path)[0])


def test_a_label_above_255_needs_two_bytes(tmp_path: Path) -> None:
    labels = body_labels().astype(np.uint16)
    labels[labels == 3] = 40_000
    path = write_nifti(tmp_path / "labels.nii", labels)
    table = {"1": "body", "2": "heart", "40000": "node_4R"}
    segmentation, _ = read(path, names=write_names(tmp_path / "labels.json", table))
    assert_in_place(segmentation)


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1e-3), ("micron", 1e3), ("unknown", 1.0)])
def test_units_of_the_affine_are_respected(tmp_path: Path, unit: str, factor: float) -> None:
    X = np.diag([factor, factor, factor, 1.0]) @ OBLIQUE
    path = write_nifti(tmp_path / "labels.nii", body_labels(), X, unit=unit)
    assert_in_place(read(path, names=write_names(tmp_path / "labels.json"))[0])


def test_a_fourth_dimension_of_size_one_is_accepted(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "labels.nii.gz", body_labels()[..., None])
    assert_in_place(read(path, names=write_names(tmp_path / "labels.json"))[0])


def test_the_format_is_detected_from_the_content(tmp_path: Path) -> None:
    packed = write_nifti(tmp_path / "labels.nii.gz", body_labels())
    other = tmp_path / "upload"
    other.write_bytes(packed.read_bytes())
    assert_in_place(read(other, names=write_names(tmp_path / "labels.json"))[0])


# --- folders of masks


def write_masks(folder: Path) -> Path:
    folder.mkdir()
    labels = body_labels()
    write_nifti(folder / "body.nii.gz", (labels > 0).astype(np.uint8))
    write_nifti(folder / "heart.nii.gz", 255 * (labels == 2).astype(np.uint8))
    write_nifti(folder / "node_4R.nii.gz", (labels == 3).astype(float))
    write_nifti(folder / "aorta.nii.gz", np.zeros(labels.shape, np.uint8))
    (folder / "statistics.json").write_text("{}", encoding="utf-8")
    (folder / ".DS_Store").write_bytes(b"x")
    return folder


def test_a_folder_of_overlapping_masks(tmp_path: Path) -> None:
    segmentation, _ = read(write_masks(tmp_path / "masks"))
    assert segmentation.names() == ("aorta", "body", "heart", "node_4R")
    assert [s.mask.count for s in segmentation.structures] == [0, 10 * 8 * 7, 3 * 3 * 2, 3 * 3 * 2]
    assert points_P(segmentation, "heart") == pytest.approx(true_points_P(body_labels(), 2), abs=2e-3)
    assert [d.name for d in segmentation.inputs] == [
        "aorta.nii.gz",
        "body.nii.gz",
        "heart.nii.gz",
        "node_4R.nii.gz",
    ]


# --- .seg.nrrd


SEGMENTS: list[dict[str, object]] = [
    {"ID": "Segment_1", "Name": "body", "LabelValue": 1, "Layer": 0, "Extent": "0 11 0 9 0 7"},
    {"ID": "Segment_2", "Name": "heart", "LabelValue": 2, "Layer": 0},
    {"ID": "Segment_3", "Name": "node_4R", "LabelValue": 3, "Layer": 0},
]


@pytest.mark.parametrize("space", ["left-posterior-superior", "right-anterior-superior"])
@pytest.mark.parametrize("encoding", ["raw", "gzip"])
@pytest.mark.parametrize("dtype", ["u1", "i2", "f8"])
def test_a_segmentation_in_one_layer(tmp_path: Path, space: str, encoding: str, dtype: str) -> None:
    path = write_seg_nrrd(
        tmp_path / "case.seg.nrrd",
        body_labels().astype(dtype),
        SEGMENTS,
        space=space,
        encoding=encoding,
    )
    assert_in_place(read(path)[0])


def test_overlapping_segments_in_layers(tmp_path: Path) -> None:
    labels = body_labels()
    layers = np.stack([(labels > 0).astype(np.uint8), 2 * (labels == 2) + 5 * (labels == 3)]).astype(np.uint8)
    segments: list[dict[str, object]] = [
        {"Name": "node_4R", "LabelValue": 5, "Layer": 1},
        {"Name": "body", "LabelValue": 1, "Layer": 0},
        {"Name": "heart", "LabelValue": 2, "Layer": 1},
    ]
    segmentation, _ = read(write_seg_nrrd(tmp_path / "case.seg.nrrd", layers, segments))
    assert segmentation.names() == ("node_4R", "body", "heart")
    assert [s.mask.count for s in segmentation.structures] == [18, 560, 18]
    assert points_P(segmentation, "node_4R") == pytest.approx(true_points_P(labels, 3), abs=1e-6)


def test_old_files_with_a_layer_for_each_segment(tmp_path: Path) -> None:
    labels = body_labels()
    layers = np.stack([labels > 0, labels == 2]).astype(np.uint8)
    path = write_seg_nrrd(tmp_path / "case.seg.nrrd", layers, [{"Name": "body"}, {"ID": "heart"}])
    segmentation, _ = read(path)
    assert [(s.name, s.mask.count) for s in segmentation.structures] == [("body", 560), ("heart", 18)]


# --- surfaces


def sphere(radius: float, centre: tuple[float, float, float]) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=3, radius=radius).apply_translation(centre)


def write_surfaces(folder: Path, mirrored: bool = False) -> Path:
    folder.mkdir()
    organs = {
        "body.stl": sphere(60, (0, 0, 0)),
        "heart.obj": sphere(15, (20, -10, 0)),
        "node_4R.ply": sphere(8, (-20, 0, 10)),
    }
    for file, mesh in organs.items():
        if mirrored:
            mesh.apply_transform(np.diag([-1.0, -1.0, 1.0, 1.0]))
        mesh.export(folder / file)
    return folder


@pytest.mark.parametrize("axes", list(MeshAxes))
def test_a_folder_of_surfaces(tmp_path: Path, axes: MeshAxes) -> None:
    folder = write_surfaces(tmp_path / "meshes", mirrored=axes is MeshAxes.RAS)
    segmentation, _ = read(folder, mesh_axes=axes)
    assert segmentation.names() == ("body", "heart", "node_4R")
    assert segmentation.surface_slack_mm == pytest.approx(1.5 * np.sqrt(3))
    heart, node = segmentation.structures[1:]
    assert heart.surface is not None
    assert points_P(segmentation, "heart").mean(axis=0) == pytest.approx([20, -10, 0], abs=0.1)
    assert points_P(segmentation, "node_4R").mean(axis=0) == pytest.approx([-20, 0, 10], abs=0.3)
    # Obstacles are extended to whole voxels, targets are not.
    volume = segmentation.grid.voxel_volume_mm3
    assert heart.mask.count * volume > 4 / 3 * np.pi * 15**3 * 1.1
    assert node.mask.count * volume == pytest.approx(4 / 3 * np.pi * 8**3, rel=0.04)


def test_a_single_surface_is_a_complete_input(tmp_path: Path) -> None:
    sphere(40, (0, 0, 0)).export(tmp_path / "body.stl", file_type="stl_ascii")
    assert read(tmp_path / "body.stl")[0].names() == ("body",)


# --- targets, CT, digests


@pytest.fixture
def case(tmp_path: Path) -> tuple[Path, Path]:
    write_nifti(tmp_path / "labels.nii.gz", body_labels())
    return tmp_path / "labels.nii.gz", write_names(tmp_path / "labels.json")


def test_a_target_file_is_a_target_with_any_name(tmp_path: Path, case: tuple[Path, Path]) -> None:
    mask = np.zeros(body_labels().shape, np.uint8)
    mask[4:6, 4:6, 3:5] = 1
    # Stored in another order, on the same grid
    X = OBLIQUE[:, [2, 0, 1, 3]]
    target = write_nifti(tmp_path / "lung_right_upper.nii.gz", mask.transpose(2, 0, 1), X)
    segmentation, names = read(case[0], names=case[1], targets=[target])
    assert names == ("lung_right_upper",)
    assert segmentation.structures[-1].role is Role.TARGET
    assert segmentation.structures[-1].mask.count == 8
    assert points_P(segmentation, names[0]) == pytest.approx(true_points_P(mask, 1), abs=2e-3)


def test_a_segment_and_a_surface_can_be_targets(tmp_path: Path, case: tuple[Path, Path]) -> None:
    mask = (body_labels() == 3).astype(np.uint8)
    segment = write_seg_nrrd(tmp_path / "t.seg.nrrd", mask, [{"Name": "gtv", "LabelValue": 1, "Layer": 0}])
    centre = Grid(mask.shape, OBLIQUE).to_patient(np.array([5.0, 5.0, 4.0]) * [0.8, 0.9, 5.0])
    sphere(2.5, (float(centre[0]), float(centre[1]), float(centre[2]))).export(tmp_path / "ball.stl")
    segmentation, names = read(case[0], names=case[1], targets=[segment, tmp_path / "ball.stl"])
    assert names == ("gtv", "ball")
    assert [s.role for s in segmentation.structures[-2:]] == [Role.TARGET] * 2
    assert segmentation.structures[-2].mask.count == 18
    assert segmentation.structures[-1].surface is not None
    assert segmentation.surface_slack_mm == pytest.approx(np.sqrt(0.8**2 + 0.9**2 + 25))


def test_a_ct_is_kept_in_hounsfield_units(tmp_path: Path, case: tuple[Path, Path]) -> None:
    ct = np.linspace(-1000.4, 3000, 960).reshape(12, 10, 8)
    path = write_nifti(tmp_path / "ct.nii.gz", ct.astype(np.float32))
    segmentation, _ = read(case[0], names=case[1], ct=path)
    assert segmentation.ct_hu is not None
    assert segmentation.ct_hu.dtype == np.int16
    assert (segmentation.ct_hu == np.rint(ct)).all()


def test_a_scaled_ct_is_unscaled(tmp_path: Path, case: tuple[Path, Path]) -> None:
    import nibabel as nib

    stored = np.arange(960, dtype=np.int16).reshape(12, 10, 8)
    image = nib.Nifti1Image.from_filename(write_nifti(tmp_path / "ct.nii", stored))
    image.header.set_slope_inter(2.0, -1024.0)
    image.header["scl_slope"], image.header["scl_inter"] = 2.0, -1024.0
    raw = (tmp_path / "ct.nii").read_bytes()
    (tmp_path / "ct.nii").write_bytes(raw[:112] + np.array([2.0, -1024.0], "<f4").tobytes() + raw[120:])
    segmentation, _ = read(case[0], names=case[1], ct=tmp_path / "ct.nii")
    assert segmentation.ct_hu is not None
    assert (segmentation.ct_hu == 2 * stored - 1024).all()


def test_every_input_file_is_listed_with_its_digest(tmp_path: Path, case: tuple[Path, Path]) -> None:
    target = write_nifti(tmp_path / "t.nii.gz", (body_labels() == 2).astype(np.uint8))
    ct = write_nifti(tmp_path / "ct.nii.gz", 500 * body_labels().astype(np.int16) - 1000)
    segmentation, _ = read(case[0], names=case[1], targets=[target], ct=ct)
    files = [case[0], case[1], target, ct]
    assert [(d.name, d.sha256) for d in segmentation.inputs] == [
        (f.name, hashlib.sha256(f.read_bytes()).hexdigest()) for f in files
    ]


# --- inputs on different grids


def test_inputs_on_another_grid_are_refused(tmp_path: Path, case: tuple[Path, Path]) -> None:
    labels, names = case
    shifted = OBLIQUE.copy()
    shifted[0, 3] += 0.1
    mask = (body_labels() == 2).astype(np.uint8)
    moved = write_nifti(tmp_path / "t.nii.gz", mask, shifted)
    with pytest.raises(FrameMismatch, match=r"t\.nii\.gz: it is on another grid"):
        read(labels, names=names, targets=[moved])
    with pytest.raises(FrameMismatch, match="Resample"):
        moved_ct = write_nifti(tmp_path / "ct.nii.gz", np.where(mask, 40, -1000).astype(np.int16), shifted)
        read(labels, names=names, ct=moved_ct)
    small = write_seg_nrrd(tmp_path / "t.seg.nrrd", mask[:-1], [{"Name": "t", "LabelValue": 1, "Layer": 0}])
    with pytest.raises(FrameMismatch, match="11 x 10 x 8"):
        read(labels, names=names, targets=[small])
    sphere(3, (400, 0, 0)).export(tmp_path / "far.stl")
    with pytest.raises(FrameMismatch, match="field of view"):
        read(labels, names=names, targets=[tmp_path / "far.stl"])


def test_masks_of_one_folder_share_a_grid(tmp_path: Path) -> None:
    folder = write_masks(tmp_path / "masks")
    write_nifti(folder / "trachea.nii.gz", np.zeros((12, 10, 9), np.uint8))
    with pytest.raises(FrameMismatch, match=r"trachea\.nii\.gz: it is on another grid than aorta"):
        read(folder)


def test_a_target_needs_a_unique_name_and_voxels(tmp_path: Path, case: tuple[Path, Path]) -> None:
    labels, names = case
    mask = (body_labels() == 2).astype(np.uint8)
    duplicate = write_nifti(tmp_path / "heart.nii.gz", mask)
    with pytest.raises(StructureError, match="Rename"):
        read(labels, names=names, targets=[duplicate])
    centre = Grid(mask.shape, OBLIQUE).to_patient(np.array([5.5 * 0.8, 5.5 * 0.9, 3.5 * 5.0]))
    for radius, message in ((0.7, "no target is shorter than 4 mm"), (2.2, "no voxel centre")):
        small_sphere = sphere(radius, (float(centre[0]), float(centre[1]), float(centre[2])))
        small_sphere.export(tmp_path / "speck.stl")
        with pytest.raises(SurfaceError, match=message):
            read(labels, names=names, targets=[tmp_path / "speck.stl"])
    three_segments = write_seg_nrrd(tmp_path / "two.seg.nrrd", body_labels(), SEGMENTS)
    with pytest.raises(ReadError, match="3 segments"):
        read(labels, names=names, targets=[three_segments])


# --- real cases


def test_the_real_chest(real_case: Path) -> None:
    target = real_case / "targets" / "station_4R.nii.gz"
    segmentation, names = read(
        real_case / "labels.nii.gz",
        names=real_case / "labels.json",
        targets=[target],
        ct=real_case / "ct.nii.gz",
    )
    assert names == ("station_4R",)
    assert segmentation.grid.shape == (252, 170, 102)
    assert all(s.mask.count for s in segmentation.structures)
    assert segmentation.ct_hu is not None
    # LPS: the left lung lies at greater x than the right, the spine behind the sternum, air is dark.
    middle = {s.name: points_P(segmentation, s.name).mean(axis=0) for s in segmentation.structures}
    assert middle["lung_left"][0] > middle["lung_right"][0] + 50
    assert middle["vertebrae"][1] > middle["sternum"][1] + 50
    lung = next(s.mask for s in segmentation.structures if s.name == "lung_left")
    assert np.median(segmentation.ct_hu[lung.slices][lung.cropped()]) < -600


def test_the_real_totalsegmentator_output(shared: Path) -> None:
    folder = shared / "cases" / "totalseg_abdomen"
    segmentation, _ = read(folder / "labels.nii.gz", names=folder / "labels.json", ct=folder / "ct.nii.gz")
    table = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    assert set(segmentation.names()) == set(table.values()) - {"background"}
