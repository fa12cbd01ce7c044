"""Points: the type of a place or a direction in the patient."""

Point = tuple[float, float, float]
