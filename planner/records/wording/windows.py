"""Names of windows, from their places."""

from planner.records.paths import WindowPlace


def window_text(place: WindowPlace) -> str:
    """A window's name: "parasternal right", "paravertebral left, between ribs 7 and 8", "intercostal right,
    between ribs 4 and 5, lateral", "suprasternal"."""
    name = place.approach if place.side is None else f"{place.approach} {place.side}"
    return ", ".join(part for part in (name, _space(place.rib_above, place.rib_below), place.sector) if part)


def _space(above: int | None, below: int | None) -> str:
    """An intercostal space; if one rib alone is known, the side of it."""
    if above is not None and below is not None:
        return f"between ribs {above} and {below}"
    if above is not None:
        return f"below rib {above}"
    return "" if below is None else f"above rib {below}"
