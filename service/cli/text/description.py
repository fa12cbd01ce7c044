"""Description of a case as text: the grid, every structure with role and volume, and notes."""

from typing import Any

from anatomy.geometry.frames import MM3_PER_CC
from service.cli.text.table import columns


def description_text(described: dict[str, Any]) -> str:
    """A description, as `service.operations.describe_case.describe_case` returns it, as text."""
    grid = described["grid"]
    size, spacing = (" x ".join(f"{n:g}" for n in grid[key]) for key in ("shape", "spacing_mm"))
    rows = [("structure", "role", "volume cc", "known name")]
    for structure in described["structures"]:
        volume_cc = f"{structure['volume_mm3'] / MM3_PER_CC:.2f}"
        rows.append(
            (structure["name"], structure["role"], volume_cc, "yes" if structure["known_name"] else "no")
        )
    blocks = [
        f"Grid: {size} voxels of {spacing} mm.",
        columns(rows),
        _targets(described),
    ]
    return "\n".join([*blocks, *described["notes"]]) + "\n"


def _targets(described: dict[str, Any]) -> str:
    """What is treated if a request names no target."""
    if described["targets"]:
        return f"Targets: {', '.join(described['targets'])}."
    return "Targets: none given, and no structure has the role of target: name one to plan."
