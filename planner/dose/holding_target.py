"""Solid structures that contain the target, as the mask of a body does. Their dose is not that of a skin."""

from anatomy.geometry.masks import VoxelMask


def holds_most(mask: VoxelMask, target: VoxelMask) -> bool:
    """Whether more than half of the target's voxels are in the mask, on the same grid. A shell that touches
    the target contains only few of them."""
    box = tuple(
        slice(max(a.start, b.start), min(a.stop, b.stop))
        for a, b in zip(mask.slices, target.slices, strict=True)
    )
    both = (mask.layer[box] == mask.label) & (target.layer[box] == target.label)
    return 2 * int(both.sum()) > target.count
