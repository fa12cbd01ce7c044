"""Measured paths from plain numbers, to be ranked, and the seeds along a measured path."""

from dataclasses import replace

from hypothesis import strategies as st

from anatomy.scene import Scene
from planner.measuring.measured import MeasuredPath
from planner.paths.seed_drops import seed_drops
from planner.records.paths import SeedDrop
from planner.records.request.request import Request

BASE = MeasuredPath(
    entry_mm=(0.0, 0.0, 0.0),
    tip_mm=(0.0, 50.0, 0.0),
    direction=(0.0, 1.0, 0.0),
    length_mm=50.0,
    lung_length_mm=10.0,
    pleural_punctures=1,
    fissures_crossed=0,
    clearance_mm=4.0,
    nearest_structure="aorta",
    crosses=(),
    axial_angle_deg=0.0,
    craniocaudal_angle_deg=0.0,
    target_chord_mm=15.0,
)


zero_to_two = st.integers(0, 2)
numbers = st.tuples(
    st.integers(0, 5), zero_to_two, zero_to_two, zero_to_two, zero_to_two, zero_to_two, zero_to_two
)
"""Values of one path. The tests build the paths: type checks use `random`, which no strategy may."""


def paths_from(values: list[tuple[int, ...]]) -> list[MeasuredPath]:
    return [
        replace(
            BASE,
            entry_mm=(float(x), float(f"{lung}{punctures}{fissures}"), float(f"{clearance}{length}{angle}")),
            lung_length_mm=10.0 * lung,
            pleural_punctures=punctures,
            fissures_crossed=fissures,
            clearance_mm=float(clearance),
            length_mm=50.0 + length,
            craniocaudal_angle_deg=float(angle) - 1,
        )
        for x, lung, punctures, fissures, clearance, length, angle in values
    ]


def seeds_along(scene: Scene, request: Request, measured: MeasuredPath) -> tuple[SeedDrop, ...]:
    """The seeds that a request drops along a measured path."""
    return seed_drops(
        scene,
        measured,
        margin_mm=request.target.margin_mm,
        spacing_mm=request.seeds.spacing_mm,
        seed_mm=request.seeds.source.seed_length_mm,
    )
