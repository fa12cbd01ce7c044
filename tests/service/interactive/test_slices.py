"""Slices for GUIs: each pixel has the label of the structure at the position that the answer states."""

import base64
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st
from pydantic import ValidationError
from small_chests import CHESTS, small_chest

from anatomy.scene import Scene
from anatomy.structures import Role
from service.interactive.slices import BEYOND, BODY, NO_CT, sliced
from service.schemas.slices import MOST_PIXELS, SlicesBody, SlicesModel

SIZE_MM = (30.0, 1.5)
"""Half side of a slice, and side of a pixel."""

IMPORTANCE = [Role.TARGET, Role.FORBIDDEN, Role.LUNG, Role.PASSABLE, Role.OUTSIDE, Role.SKIN]


def needle_in(scene: Scene, offset_mm: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    middle_B = (scene.grid.lower_B + scene.grid.upper_B) / 2
    return scene.grid.to_patient(middle_B + np.array(offset_mm)), scene.grid.to_patient(middle_B)


def numbers(text: str, kind: str, plane: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind).reshape(plane["rows"], plane["columns"])


def pixel_positions_mm(plane: dict[str, Any]) -> np.ndarray:
    """Positions of the pixels by the formula in the schema. (rows, columns, 3) [mm]"""
    row, column = np.mgrid[: plane["rows"], : plane["columns"]]
    steps = column[..., None] * np.array(plane["right"]) + row[..., None] * np.array(plane["down"])
    return np.asarray(np.array(plane["first_mm"]) + plane["pixel_mm"] * steps)


def voxel_at(scene: Scene, p_mm: np.ndarray) -> tuple[tuple[int, ...] | None, bool]:
    """The voxel that contains a position, and whether the position is too near to another voxel to decide."""
    index = scene.grid.to_box(p_mm) / scene.grid.spacing_mm
    is_ambiguous = bool((np.abs(index - np.floor(index) - 0.5) < 1e-3).any())
    nearest = np.rint(index).astype(int)
    inside = (nearest >= 0).all() and (nearest < scene.grid.shape).all()
    return (tuple(nearest.tolist()) if inside else None), is_ambiguous


@pytest.mark.parametrize("name", CHESTS)
@given(st.tuples(*[st.floats(-30.0, 30.0)] * 3).filter(lambda d: np.linalg.norm(d) > 1.0), st.integers())
@bounded(max_examples=5, deadline=None)
def test_each_pixel_has_the_label_of_the_structure_at_its_position(name, offset_mm, seed):
    scene = small_chest(name).scene
    slices_json = sliced(scene, *needle_in(scene, offset_mm), *SIZE_MM, None)
    SlicesModel.model_validate(slices_json)
    structures = slices_json["structures"]
    masks = {s.name: s.mask.layer == s.mask.label for s in scene.structures}
    masks[BODY] = scene.body.layer == scene.body.label
    rng = np.random.default_rng(abs(seed))
    for plane in slices_json["slices"]:
        labels, positions_mm = numbers(plane["labels"], "<u2", plane), pixel_positions_mm(plane)
        for _ in range(40):
            row, column = rng.integers(plane["rows"]), rng.integers(plane["columns"])
            voxel, is_ambiguous = voxel_at(scene, positions_mm[row, column])
            if is_ambiguous:
                continue
            structures_here = [] if voxel is None else [s for s in structures if masks[s["structure"]][voxel]]
            label = labels[row, column]
            if voxel is None:
                assert label == BEYOND
            elif not structures_here:
                assert label == 0
            else:
                first_role = min(IMPORTANCE.index(s["role"]) for s in structures_here)
                assert structures[label - 1] in [
                    s for s in structures_here if IMPORTANCE.index(s["role"]) == first_role
                ]


def test_both_slices_contain_the_needle_and_are_perpendicular():
    scene = small_chest("oblique").scene
    entry_mm, tip_mm = needle_in(scene, (11.0, -23.0, 5.0))
    slices_json = sliced(scene, entry_mm, tip_mm, *SIZE_MM, None)
    normals = []
    for plane in slices_json["slices"]:
        normal = np.cross(plane["right"], plane["down"])
        normals.append(normal)
        for point in (entry_mm, tip_mm):
            assert (point - np.array(plane["first_mm"])) @ normal == pytest.approx(0.0, abs=1e-4)
    assert normals[0] @ normals[1] == pytest.approx(0.0, abs=1e-5)


def test_the_first_slice_has_the_orientation_of_axial_ct():
    scene = small_chest("plain").scene
    # The needle is horizontal, so that the slice nearest to axial is axial.
    first = sliced(scene, *needle_in(scene, (5.0, -20.0, 0.0)), *SIZE_MM, None)["slices"][0]
    assert first["edges"] == {"right": "L", "left": "R", "top": "A", "bottom": "P"}


def test_ct_and_dose_lie_on_the_same_pixels():
    scene = small_chest("plain").scene
    hu = np.random.default_rng(0).integers(-1000, 1000, scene.grid.shape).astype(np.int16)
    scene = replace(scene, ct_hu=hu)
    needle = needle_in(scene, (5.0, -20.0, 9.0))
    slices_json = sliced(scene, *needle, 60.0, 1.5, lambda p_mm: p_mm @ np.array([1.0, 10.0, 100.0]))
    for plane in slices_json["slices"]:
        positions_mm = pixel_positions_mm(plane)
        assert numbers(plane["dose_gy"], "<f4", plane) == pytest.approx(
            positions_mm @ np.array([1.0, 10.0, 100.0]), rel=1e-4, abs=1e-2
        )
        ct = numbers(plane["ct_hu"], "<i2", plane)
        inside_count = 0
        for row, column in np.random.default_rng(1).integers(plane["rows"], size=(200, 2)):
            voxel, is_ambiguous = voxel_at(scene, positions_mm[row, column])
            if not is_ambiguous:
                assert ct[row, column] == (NO_CT if voxel is None else hu[voxel])
                inside_count += voxel is not None
        assert inside_count > 20


def test_without_ct_and_plan_slices_have_neither_ct_nor_dose():
    scene = small_chest("plain").scene
    for plane in sliced(scene, *needle_in(scene, (5.0, -20.0, 9.0)), *SIZE_MM, None)["slices"]:
        assert plane["ct_hu"] is None
        assert plane["dose_gy"] is None


@pytest.mark.parametrize(
    "invalid",
    [
        {"half_mm": 400.0, "pixel_mm": 0.25},
        {"tip_mm": (1.0, 2.0, 3.0)},
        {"pixel_mm": 0.0},
        {"half_mm": float("nan")},
        {"plan": "../../etc"},
    ],
)
def test_invalid_slices_are_refused(invalid):
    valid: dict[str, Any] = {"entry_mm": (1.0, 2.0, 3.0), "tip_mm": (4.0, 5.0, 6.0)}
    SlicesBody(**valid)
    with pytest.raises(ValidationError):
        SlicesBody(**(valid | invalid))


def test_the_largest_number_of_pixels_is_accepted():
    body = SlicesBody(
        entry_mm=(1.0, 2.0, 3.0), tip_mm=(4.0, 5.0, 6.0), half_mm=128.0, pixel_mm=256.0 / MOST_PIXELS
    )
    assert body.half_mm == 128.0
