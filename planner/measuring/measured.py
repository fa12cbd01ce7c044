"""Measured path: all measurements of a needle, and their conversion to a path of a plan."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from planner.records.paths import Aim, Path, PathMeasurements, SeedDrop
from planner.records.request.point import Point


@dataclass(frozen=True)
class MeasuredPath(PathMeasurements):
    """One measured line, from the skin to the tip."""

    @property
    def entry_P(self) -> Float[np.ndarray, "3"]:
        """Where the axis enters the skin. [mm]"""
        return np.array(self.entry_mm)

    @property
    def tip_P(self) -> Float[np.ndarray, "3"]:
        """The tip: at the distal edge of the target, unless it was given. [mm]"""
        return np.array(self.tip_mm)

    @property
    def direction_P(self) -> Float[np.ndarray, "3"]:
        """Unit vector from entry to tip."""
        return np.array(self.direction)


def _point(p_P: Float[np.ndarray, "3"]) -> Point:
    # Adding zero turns -0.0 into 0.0: one number, one text.
    return (float(p_P[0]) + 0.0, float(p_P[1]) + 0.0, float(p_P[2]) + 0.0)


def to_path(
    measured: MeasuredPath,
    *,
    id: str,
    rank: int,
    window: str,
    approach: str,
    pareto: bool,
    seeds: tuple[SeedDrop, ...],
    aim: Aim = Aim.TARGET,
) -> Path:
    """The plan's record of a measured path."""
    return Path(
        id=id,
        rank=rank,
        window=window,
        approach=approach,
        aim=aim,
        pareto=pareto,
        seeds=seeds,
        **{name: getattr(measured, name) for name in MeasuredPath.__dataclass_fields__},
    )
