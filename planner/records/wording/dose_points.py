"""What a point of the dose report is called."""

from planner.records.dose import PointKind


def point_name(kind: PointKind, structure: str) -> str:
    """What a point is called. PTV and GTV take the article, names of structures do not."""
    article = "the " if kind is PointKind.COLDEST else ""
    return f"{kind} sample of {article}{structure}"
