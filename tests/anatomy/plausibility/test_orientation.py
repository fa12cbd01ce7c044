"""A mirrored or rotated patient is refused: the organs' positions contradict their names."""

import numpy as np
import pytest
from box_scenes import Box, box_mask, grid_of
from hypothesis import given
from hypothesis import strategies as st

from anatomy.errors import FrameMismatch
from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import MaskLayers, mask_from_bool
from anatomy.scene import scene
from anatomy.structures import Segmentation, Structure
from anatomy.thorax import thorax

SHAPE = (80, 60, 60)
GRID = grid_of(SHAPE, (4.0, 4.0, 4.0))
PATIENT: dict[str, Box] = {
    "body": ((5, 5, 0), (75, 55, 60)),
    "lung_left": ((45, 15, 10), (65, 45, 45)),
    "lung_right": ((12, 15, 10), (32, 45, 45)),
    "heart": ((36, 20, 15), (46, 30, 27)),
    "sternum": ((38, 8, 15), (44, 11, 45)),
    "trachea": ((38, 31, 36), (42, 35, 50)),
    "spinal_cord": ((39, 47, 0), (41, 49, 60)),
    "liver": ((15, 15, 1), (40, 40, 9)),
    **{f"vertebrae_T{n}": ((37, 42, 58 - 4 * n), (43, 46, 61 - 4 * n)) for n in range(1, 13)},
    **{f"rib_left_{n}": ((66, 25, 55 - 4 * n), (69, 35, 57 - 4 * n)) for n in range(1, 10)},
    **{f"rib_right_{n}": ((8, 25, 55 - 4 * n), (11, 35, 57 - 4 * n)) for n in range(1, 10)},
    "node_4R": ((33, 30, 30), (37, 34, 34)),
}


def patient(axes: str = "", left_out: tuple[str, ...] = (), renamed: dict[str, str] | None = None):
    """The patient stored in reverse along these axes, with the grid unchanged."""
    reverse = tuple(slice(None, None, -1 if axis in axes else 1) for axis in "xyz")
    names = renamed or {}
    layers = MaskLayers(SHAPE)
    parts = tuple(
        Structure(names.get(name, name), layers.add(name, box_mask(SHAPE, box)[reverse].copy()))
        for name, box in PATIENT.items()
        if name not in left_out
    )
    return Segmentation(GRID, parts, ())


def notes(segmentation: Segmentation) -> list[str]:
    return [note for note in scene(segmentation).notes if "It is not true that" in note]


def test_a_correctly_oriented_patient_has_no_note() -> None:
    assert notes(patient()) == []


@pytest.mark.parametrize(
    ("axes", "example", "cause"),
    [
        (
            "xy",
            "nor that the spine lies behind the sternum",
            "rotated by 180 degrees, as when RAS is read as LPS",
        ),
        ("x", "lies to the left of", "is mirrored, or names of left and right"),
        ("y", "the spine lies behind the sternum", "from front to back"),
        ("z", "the heart lies above the liver", "upside down"),
        ("xz", "nor that the heart lies above the liver", "mirrored or rotated"),
        ("xyz", "nor that the heart lies above the liver", "mirrored or rotated"),
    ],
)
def test_a_rotated_or_mirrored_patient_is_refused(axes: str, example: str, cause: str) -> None:
    with pytest.raises(FrameMismatch, match=cause) as error:
        scene(patient(axes))
    assert example in error.value.value


@given(st.sets(st.sampled_from(sorted(PATIENT.keys() - {"body", "node_4R"})), max_size=30))
def test_a_correctly_oriented_patient_is_accepted_with_any_missing_structures(left_out: set[str]) -> None:
    if PATIENT.keys() - left_out - {"body", "node_4R"}:
        assert notes(patient(left_out=tuple(left_out))) == []


def test_lungs_alone_reveal_a_mirrored_patient() -> None:
    others = tuple(PATIENT.keys() - {"body", "node_4R", "lung_left", "lung_right"})
    with pytest.raises(FrameMismatch, match="lung_left lies to the left of lung_right"):
        scene(patient("x", others))


def test_one_exchanged_pair_of_names_among_many_is_noted() -> None:
    swapped = patient(renamed={"rib_left_4": "rib_right_4", "rib_right_4": "rib_left_4"})
    assert "It is not true that rib_left_4 lies to the left of rib_right_4: check their names." in notes(
        swapped
    )


def test_vertebrae_numbered_upwards_are_refused() -> None:
    renamed = {f"vertebrae_T{n}": f"vertebrae_T{13 - n}" for n in range(1, 13)}
    ribs = tuple(name for name in PATIENT if name.startswith("rib"))
    with pytest.raises(FrameMismatch, match="numbers are in reverse"):
        scene(patient(left_out=ribs, renamed=renamed))


def test_pieces_of_sloping_ribs_are_not_compared() -> None:
    """A small field of view may show the front of one rib below the back of the next, because ribs slope."""
    pieces = {
        f"rib_{side}_{number}": ((i, j, k), (i + 3, j + 4, k + 2))
        for side, i in (("left", 66), ("right", 8))
        for number, j, k in ((3, 14, 24), (4, 42, 36))
    }
    layers = MaskLayers(SHAPE)
    others = {name: box for name, box in PATIENT.items() if not name.startswith("rib")}
    boxes = {**others, **pieces}
    parts = tuple(Structure(name, layers.add(name, box_mask(SHAPE, box))) for name, box in boxes.items())
    assert notes(Segmentation(GRID, parts, ())) == []


@pytest.mark.parametrize("piece", [((14, 20, 20), (15, 21, 21)), ((14, 20, 20), (15, 22, 22))])
def test_a_tiny_piece_of_an_organ_does_not_show_its_side(piece: Box) -> None:
    """For a removed lung, a network left one voxel in the other lung: the patient is not mirrored."""
    others = {
        name: box for name, box in PATIENT.items() if name in ("body", "heart", "node_4R", "lung_right")
    }
    layers = MaskLayers(SHAPE)
    boxes = {**others, "lung_left": piece}
    parts = tuple(Structure(name, layers.add(name, box_mask(SHAPE, box))) for name, box in boxes.items())
    assert notes(Segmentation(GRID, parts, ())) == []


def test_a_stomach_in_the_chest_does_not_mean_upside_down() -> None:
    """The stomach replaces a removed oesophagus."""
    names = ("body", "heart", "lung_left", "lung_right", "node_4R")
    layers = MaskLayers(SHAPE)
    boxes = {**{name: PATIENT[name] for name in names}, "stomach": ((34, 38, 40), (42, 46, 58))}
    parts = tuple(Structure(name, layers.add(name, box_mask(SHAPE, box))) for name, box in boxes.items())
    assert notes(Segmentation(GRID, parts, ())) == []


def test_situs_inversus_is_accepted() -> None:
    """Organs are mirrored; ribs, lungs and spine agree with their sides for any lung shape."""
    i, j, k = np.indices(SHAPE)
    more_masks = {
        "heart_atrium_left": (abs(i - 30) < 3) & (abs(j - 30) < 3) & (abs(k - 20) < 3),
        "heart_atrium_right": (abs(i - 50) < 3) & (abs(j - 25) < 3) & (abs(k - 20) < 3),
        "lung_upper_lobe_left": (abs(i - 20) < 5) & (abs(j - 30) < 5) & (abs(k - 35) < 5),
        "lung_upper_lobe_right": (abs(i - 58) < 5) & (abs(j - 30) < 5) & (abs(k - 35) < 5),
    }
    segmentation = patient()
    parts = tuple(Structure(name, mask_from_bool(mask)) for name, mask in more_masks.items())
    assert notes(Segmentation(GRID, (*segmentation.structures, *parts), ())) == []


def test_orientation_is_judged_in_the_patient_frame() -> None:
    """Voxels stored in reverse under an affine that says so are the same patient."""
    stored = patient("xy")
    X_PV = np.diag([-4.0, -4.0, 4.0, 1.0])
    X_PV[:2, 3] = 4.0 * (np.array(SHAPE[:2]) - 1)
    assert notes(Segmentation(Grid(SHAPE, X_PV), stored.structures, ())) == []


def test_the_built_in_thorax_is_accepted_and_its_mirror_image_is_refused() -> None:
    segmentation = thorax()
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0]) @ segmentation.grid.X_PV
    with pytest.raises(FrameMismatch, match="is mirrored"):
        scene(Segmentation(Grid(segmentation.grid.shape, mirror), segmentation.structures, ()), ("node_4R",))
