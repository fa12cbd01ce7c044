"""Solids: structures that hold the target, as a body's mask does. Their dose says nothing of a skin."""

from anatomy.geometry.masks import VoxelMask


def holds_most(mask: VoxelMask, target: VoxelMask) -> bool:
    """Whether more than half of the target's voxels, on one grid, are the mask's: of a shell that the target
    touches few are."""
    box = tuple(
        slice(max(a.start, b.start), min(a.stop, b.stop))
        for a, b in zip(mask.slices, target.slices, strict=True)
    )
    both = (mask.layer[box] == mask.label) & (target.layer[box] == target.label)
    return 2 * int(both.sum()) > target.count
