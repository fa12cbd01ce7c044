"""Mask folder: one-organ NIfTI masks, as TotalSegmentator writes them. The file's name is the organ's
name."""

from pathlib import Path

from anatomy.errors import ReadError
from anatomy.geometry.frames import Grid
from anatomy.geometry.masks import MaskLayers
from anatomy.readers.file_names import organ_name
from anatomy.readers.nifti.volume import read_mask
from anatomy.readers.same_grid import refuse_other_grid
from anatomy.readers.size_limits import check_structure_count
from anatomy.structures import Structure


def read_masks(
    files: tuple[Path, ...],
) -> tuple[Grid, tuple[Structure, ...], tuple[tuple[str, str], ...]]:
    """One structure for each mask file, all on the grid of the first file, and remarks as pairs (file,
    remark).

    Raises FrameMismatch for a mask on another grid, and what `anatomy.readers.nifti.volume.read_mask` raises.
    """
    check_structure_count("the folder of masks", len(files))
    grid: Grid | None = None
    layers: MaskLayers | None = None
    structures: dict[str, Structure] = {}
    remarks: list[tuple[str, str]] = []
    for path in files:
        mask, mask_grid, own = read_mask(path)
        remarks += [(path.name, remark) for remark in own]
        if grid is None or layers is None:
            grid, layers = mask_grid, MaskLayers(mask_grid.shape)
        else:
            refuse_other_grid(path.name, mask_grid, files[0].name, grid)
        name = organ_name(path)
        if name in structures:
            raise ReadError(path.name, f"two files give the structure {name!r}", "Remove one of them.")
        structures[name] = Structure(name, layers.add(name, mask))
    if grid is None:
        raise ReadError("the folder of masks", "it holds no mask", "Give a folder of NIfTI masks.")
    return grid, tuple(structures.values()), tuple(remarks)
