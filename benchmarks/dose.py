"""How fast and how exact the dose kernel is, against the TG-43 formula that it stands for.

An implant of 50 seeds at 20,000 points, one thread for both. The formula gets its best case: plain numpy on
arrays that fit into the cache, one seed at a time, and nothing in it is slow on purpose. Exactness is that of
the worst of all sources, at 99 of 100 points beyond 2 mm of a seed, drawn in two ways, since a cube holds few
points near the seed and few near its axis.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import Float

from benchmarks.table import Row, seconds
from planner.dose.tg43.formula import total_dose_gy_per_u
from planner.dose.tg43.kernel import DoseKernel, dose_kernel, dose_matrix, dose_sum
from planner.sources import SOURCES, Source
from planner.sources.amersham_6711 import AMERSHAM_6711

NAME = "dose"
SEEDS, POINTS, DRAWN = 50, 20_000, 400_000
RATE_GOAL, RATIO_GOAL, PERCENT_GOAL = 5e7, 15.0, 0.02
NEAR_MM, CUBE_HALF_MM, SPHERE_MM = 2.0, 30.0, 50.0


def run() -> list[Row]:
    """Rates of kernel and formula on one thread, and the kernel's deviation from the formula."""
    rng = np.random.default_rng(43)
    points = rng.uniform(-CUBE_HALF_MM, CUBE_HALF_MM, (POINTS, 3))
    seeds = rng.uniform(-CUBE_HALF_MM / 2, CUBE_HALF_MM / 2, (SEEDS, 3))
    axes = rng.normal(size=(SEEDS, 3))
    axes /= np.linalg.norm(axes, axis=1)[:, None]
    kernel = dose_kernel(AMERSHAM_6711)
    pairs = SEEDS * POINTS
    with one_thread():
        summed = pairs / seconds(lambda: dose_sum(kernel, points, seeds, axes), repeats=9)
        matrix = pairs / seconds(lambda: dose_matrix(kernel, points, seeds, axes), repeats=9)
    plain = pairs / seconds(lambda: by_formula(AMERSHAM_6711, points, seeds, axes))
    ratio = summed / plain
    rows = [
        _rate("kernel, sum over the seeds, one thread", summed),
        _rate("kernel, seed by seed, one thread", matrix),
        Row(
            NAME,
            "the formula in plain numpy, one thread",
            plain / 1e6,
            "M pairs/s",
            f"the kernel is {ratio:.0f} times",
            f">= {RATIO_GOAL:.0f} times",
            ratio >= RATIO_GOAL,
        ),
        Row(NAME, "kernel made from its source", 1e3 * seconds(lambda: dose_kernel(AMERSHAM_6711)), "ms"),
    ]
    for what, drawn in (
        ("a cube of 60 mm", _in_cube(rng)),
        ("distance to 50 mm and angle", _on_spheres(rng)),
    ):
        worst, source = max((percent_off(dose_kernel(s), s, drawn), s.label) for s in SOURCES)
        rows.append(
            Row(
                NAME,
                f"off the formula, 99 of 100 points, uniform in {what}",
                worst,
                "%",
                f"worst of {len(SOURCES)} sources: {source}",
                f"<= {PERCENT_GOAL} %",
                worst <= PERCENT_GOAL,
            )
        )
    return rows


def _rate(what: str, rate: float) -> Row:
    return Row(NAME, what, rate / 1e6, "M pairs/s", "", f">= {RATE_GOAL / 1e6:.0f} M/s", rate >= RATE_GOAL)


@contextmanager
def one_thread() -> Iterator[None]:
    """Loops run on one thread inside, and as before after it."""
    before = os.environ.get("SEEDPATH_THREADS")
    os.environ["SEEDPATH_THREADS"] = "1"
    try:
        yield
    finally:
        del os.environ["SEEDPATH_THREADS"]
        if before is not None:
            os.environ["SEEDPATH_THREADS"] = before


def by_formula(
    source: Source,
    points: Float[np.ndarray, "n 3"],
    seeds: Float[np.ndarray, "m 3"],
    axes: Float[np.ndarray, "m 3"],
) -> Float[np.ndarray, " n"]:
    """What `dose_sum` gives, by the formula. [Gy/U]"""
    doses = np.zeros(len(points))
    for seed, axis in zip(seeds, axes, strict=True):
        offset = points - seed
        along = offset @ axis
        away = np.linalg.norm(offset - along[:, None] * axis, axis=1)
        doses += total_dose_gy_per_u(source, along, away)
    return doses


def percent_off(kernel: DoseKernel, source: Source, points: Float[np.ndarray, "n 3"]) -> float:
    """Deviation of one seed's dose from the formula that 99 of 100 points do not exceed. [%]"""
    seed, axis = np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]])
    off = np.abs(dose_sum(kernel, points, seed, axis) / by_formula(source, points, seed, axis) - 1.0)
    return 100.0 * float(np.percentile(off, 99))


def _in_cube(rng: np.random.Generator) -> Float[np.ndarray, "n 3"]:
    points = rng.uniform(-CUBE_HALF_MM, CUBE_HALF_MM, (DRAWN, 3))
    return np.asarray(points[np.linalg.norm(points, axis=1) > NEAR_MM])


def _on_spheres(rng: np.random.Generator) -> Float[np.ndarray, "n 3"]:
    r, theta = rng.uniform(NEAR_MM, SPHERE_MM, DRAWN), rng.uniform(0.0, np.pi, DRAWN)
    return np.stack([r * np.sin(theta), np.zeros(DRAWN), r * np.cos(theta)], axis=1)
