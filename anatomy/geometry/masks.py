"""Masks: the voxels that hold one label of a layer. Each mask knows its bounding box and is cropped on
demand.

Structures overlap (a target lies in lung and body), so voxel values are kept in layers: arrays of labels in
which no two masks overlap.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, UInt

from anatomy.errors import StructureError
from anatomy.geometry.frames import Grid

_VOXELS_AT_ONCE = 2**22
"""Voxels counted at a time: they take 32 MiB meanwhile."""


_SAMPLE_VOXELS = 1000
"""Voxels of a mask that are tested first for overlap with other masks [U]."""


_LAYERS_SEARCHED = 32
"""The newest layers, in which a place for a mask is searched [U]: masks that all overlap each other need as
many layers as there are masks."""


@dataclass(frozen=True, eq=False)
class VoxelMask:
    """The voxels of `layer` (nx, ny, nz) that hold `label`.

    `lower` and `upper` are the half-open bounding box in voxel indices; both are zero for an empty mask.
    `counted` is the number of voxels, if all labels of the layer were counted together. Voxels of this label
    must not be changed in the layer afterwards: box and count are computed once. (The layer is not marked
    read-only, because numba would compile every loop again for read-only arrays.)
    """

    layer: UInt[np.ndarray, "nx ny nz"]
    label: int
    lower: tuple[int, int, int]
    upper: tuple[int, int, int]
    counted: int | None = None

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The bounding box as slices into an array on the same grid."""
        a, b = self.lower, self.upper
        return slice(a[0], b[0]), slice(a[1], b[1]), slice(a[2], b[2])

    def cropped(self) -> Bool[np.ndarray, "mx my mz"]:
        """The mask over its bounding box only."""
        return np.asarray(self.layer[self.slices] == self.label)

    @cached_property
    def count(self) -> int:
        """Number of voxels."""
        return int(np.count_nonzero(self.cropped())) if self.counted is None else self.counted

    def paint(self, onto: np.ndarray, value: int | bool) -> None:
        """Write `value` into `onto` (nx, ny, nz), in place, wherever the mask is set."""
        onto[self.slices][self.cropped()] = value


def masks_from_labels(layer: UInt[np.ndarray, "nx ny nz"], labels: Iterable[int]) -> dict[int, VoxelMask]:
    """One VoxelMask for each label, in two passes over the layer: one finds the boxes, one counts the voxels.

    A label that no voxel holds gives an empty mask. Voxels are not counted box by box: boxes may all be as
    large as the layer, and the cost would be labels times voxels.
    """
    from scipy.ndimage import find_objects

    label_list = list(labels)
    most = max(label_list, default=0)
    boxes = find_objects(layer, max_label=most)
    counts = _counted(layer, most) if len(label_list) > 1 else None
    masks: dict[int, VoxelMask] = {}
    for label in label_list:
        box = boxes[label - 1] if label >= 1 else None
        if box is None:
            masks[label] = VoxelMask(layer, label, (0, 0, 0), (0, 0, 0), 0)
            continue
        lower = (box[0].start, box[1].start, box[2].start)
        upper = (box[0].stop, box[1].stop, box[2].stop)
        masks[label] = VoxelMask(layer, label, lower, upper, None if counts is None else int(counts[label]))
    return masks


def _counted(layer: UInt[np.ndarray, "nx ny nz"], most: int) -> Int[np.ndarray, "n"]:
    """How many voxels hold each label up to `most`."""
    # A view, not a copy, if memory is contiguous, as it is from all readers.
    flat = layer.reshape(-1, order="F" if layer.flags.f_contiguous else "C")
    counts = np.zeros(most + 1, np.int64)
    for start in range(0, flat.size, _VOXELS_AT_ONCE):
        # bincount converts each voxel to eight bytes.
        part = np.bincount(flat[start : start + _VOXELS_AT_ONCE], minlength=most + 1)
        counts += part[: most + 1]
    return counts


def mask_from_bool(array: Bool[np.ndarray, "nx ny nz"]) -> VoxelMask:
    """A VoxelMask in a layer of its own."""
    return masks_from_labels(array.view(np.uint8), [1])[1]


class MaskLayers:
    """Packs masks that arrive one by one into as few label layers as their overlaps allow.

    A folder of a hundred one-organ masks that hardly overlap then needs one or two bytes per voxel instead of
    a hundred. Only the last _LAYERS_SEARCHED layers are searched for a place.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._shape = shape
        self._layers: list[np.ndarray] = []
        self._used: list[int] = []

    def add(self, name: str, mask: Bool[np.ndarray, "nx ny nz"]) -> VoxelMask:
        """Put a mask into the first searched layer in which it overlaps nothing, else into a new layer.
        Raises StructureError if its shape is not that of the layers."""
        if mask.shape != self._shape:
            raise StructureError(name, f"its mask has shape {mask.shape}", f"Resample it to {self._shape}.")
        return self.add_cropped(mask, (0, 0, 0))

    def add_cropped(self, mask: Bool[np.ndarray, "mx my mz"], corner: tuple[int, int, int]) -> VoxelMask:
        """As `add`, for a mask that is given only over a box, whose first voxel is `corner`. The box must lie
        within the layers."""
        if not mask.any():
            return VoxelMask(np.zeros((1, 1, 1), np.uint8), 1, (0, 0, 0), (0, 0, 0))
        first, last = bounding_box(mask)
        inside = mask[tuple(slice(a, b) for a, b in zip(first, last, strict=True))]
        i, j, k = (a + c for a, c in zip(first, corner, strict=True))
        lower, upper = (i, j, k), (i + inside.shape[0], j + inside.shape[1], k + inside.shape[2])
        box = tuple(slice(a, b) for a, b in zip(lower, upper, strict=True))
        # A sample of its voxels first: for most masks that overlap others it is enough.
        voxels = np.flatnonzero(inside)
        some = np.unravel_index(voxels[:: 1 + len(voxels) // _SAMPLE_VOXELS], inside.shape)
        index = next(
            (
                n
                for n in range(max(0, len(self._layers) - _LAYERS_SEARCHED), len(self._layers))
                if self._used[n] < 255
                and not self._layers[n][box][some].any()
                and not self._layers[n][box][inside].any()
            ),
            len(self._layers),
        )
        if index == len(self._layers):
            self._layers.append(np.zeros(self._shape, np.uint8))
            self._used.append(0)
        self._used[index] += 1
        label = self._used[index]
        self._layers[index][box][inside] = label
        return VoxelMask(self._layers[index], label, lower, upper)


def bounding_box(
    mask: Bool[np.ndarray, "nx ny nz"],
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Half-open bounding box (lower, upper) of the True voxels, as indices. The mask must not be empty."""
    spans = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        hit = np.flatnonzero(mask.any(axis=others))
        spans.append((int(hit[0]), int(hit[-1]) + 1))
    (a, b), (c, d), (e, f) = spans
    return (a, c, e), (b, d, f)


def centroid_P(mask: VoxelMask, grid: Grid) -> Float[np.ndarray, "3"]:
    """The centroid of a mask that is not empty. [mm]"""
    inside = mask.cropped()
    middle_V = np.empty(3)
    for axis in range(3):
        counts = np.count_nonzero(inside, axis=tuple(a for a in range(3) if a != axis))
        middle_V[axis] = mask.lower[axis] + counts @ np.arange(len(counts)) / counts.sum()
    return np.asarray(grid.to_patient(middle_V * grid.spacing_mm))
