"""Names of the points of a dose report."""

from planner.records.dose import PointKind


def point_name(kind: PointKind, structure: str) -> str:
    """The name of a point. PTV and GTV take the article; names of structures do not."""
    article = "the " if kind is PointKind.COLDEST else ""
    return f"{kind} sample of {article}{structure}"
