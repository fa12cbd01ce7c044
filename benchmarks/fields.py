"""How long the distance fields take, and how that grows with their resolution."""

from functools import partial

from benchmarks import case, ours
from benchmarks.table import Row, seconds

RESOLUTIONS_MM = (2.0, 1.0, 0.7)
NAME = "fields"


def run() -> list[Row]:
    """Time to build all that a search needs for target 4R, at three resolutions."""
    scene = case.real_scene("4R")
    took = {
        step: seconds(partial(ours.build, scene, case.request(field_resolution_mm=step)), repeats=1)
        for step in RESOLUTIONS_MM
    }
    return [
        Row(NAME, f"build at {step} mm", took[step], "s", f"{took[step] / took[1.0]:.2f} times that at 1 mm")
        for step in RESOLUTIONS_MM
    ]
