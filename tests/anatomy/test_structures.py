"""Structures: masks cut from label layers, and layers packed from overlapping masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anatomy.errors import StructureError
from anatomy.geometry.masks import (
    _LAYERS_SEARCHED,
    MaskLayers,
    bounding_box,
    mask_from_bool,
    masks_from_labels,
)
from anatomy.structures import Role, Structure

SHAPE = (6, 7, 8)


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    """A box, sometimes without one voxel, sometimes empty."""
    mask = np.zeros(SHAPE, bool)
    lower = [draw(st.integers(0, n - 1)) for n in SHAPE]
    upper = [draw(st.integers(a, n)) for a, n in zip(lower, SHAPE, strict=True)]
    mask[tuple(slice(a, b) for a, b in zip(lower, upper, strict=True))] = True
    if draw(st.booleans()):
        mask[tuple(lower)] = False
    return mask


@given(st.lists(masks(), max_size=12))
def test_masks_are_recovered_from_layers_unchanged(given_masks: list[np.ndarray]) -> None:
    layers = MaskLayers(SHAPE)
    packed = [layers.add(str(n), mask) for n, mask in enumerate(given_masks)]
    for original, packed_mask in zip(given_masks, packed, strict=True):
        unpacked = np.zeros(SHAPE, bool)
        if packed_mask.count:
            packed_mask.paint(unpacked, True)
        assert (unpacked == original).all()
        assert packed_mask.count == np.count_nonzero(original)


def test_disjoint_masks_share_a_layer_and_overlapping_ones_do_not() -> None:
    layers = MaskLayers(SHAPE)
    a, b = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    a[:3], b[3:] = True, True
    first, second, third = layers.add("a", a), layers.add("b", b), layers.add("a again", a)
    assert first.layer is second.layer
    assert third.layer is not first.layer


def test_a_free_layer_is_searched_among_the_last_ones_only() -> None:
    """Otherwise, each of a thousand overlapping masks would be compared with a thousand layers."""
    layers = MaskLayers((2, 1, 1))
    first, last = np.array([[[True]], [[False]]]), np.array([[[False]], [[True]]])
    packed = [layers.add(str(n), first) for n in range(_LAYERS_SEARCHED + 3)]
    assert len({id(mask.layer) for mask in packed}) == len(packed)
    assert [layers.add("b", last).layer is packed[3 + n].layer for n in range(2)] == [True, True]


def test_a_layer_holds_255_labels_and_no_more() -> None:
    layers = MaskLayers((300, 1, 1))
    packed = []
    for n in range(300):
        mask = np.zeros((300, 1, 1), bool)
        mask[n] = True
        packed.append(layers.add(str(n), mask))
    assert len({id(m.layer) for m in packed}) == 2
    assert all(m.count == 1 and m.lower[0] == n for n, m in enumerate(packed))


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(StructureError, match="shape"):
        MaskLayers(SHAPE).add("heart", np.zeros((2, 2, 2), bool))


def test_labels_without_voxels_give_empty_masks() -> None:
    layer = np.zeros(SHAPE, np.uint8)
    layer[1, 2, 3] = 4
    masks_by_label = masks_from_labels(layer, [2, 4, 9])
    assert [masks_by_label[n].count for n in (2, 4, 9)] == [0, 1, 0]
    assert (masks_by_label[4].lower, masks_by_label[4].upper) == ((1, 2, 3), (2, 3, 4))
    assert masks_by_label[4].slices == (slice(1, 2), slice(2, 3), slice(3, 4))
    assert masks_from_labels(layer, []) == {}
    assert masks_from_labels(layer, [0])[0].count == 0


@given(masks())
def test_a_bounding_box_is_the_smallest(mask: np.ndarray) -> None:
    if not mask.any():
        return
    lower, upper = bounding_box(mask)
    indices = np.argwhere(mask)
    assert lower == tuple(indices.min(axis=0))
    assert upper == tuple(indices.max(axis=0) + 1)


def test_a_role_is_changed_on_a_copy() -> None:
    structure = Structure("heart", mask_from_bool(np.ones(SHAPE, bool)))
    assert structure.with_role(Role.FORBIDDEN).role is Role.FORBIDDEN
    assert structure.role is None
