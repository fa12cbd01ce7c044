"""The dose of a plan's seeds at any point, for pictures and isodose surfaces."""

import numpy as np
from jaxtyping import Float

from planner.dose.dose_grid import DoseAt
from planner.dose.tg43.kernel import dose_kernel, dose_kernel_1d, dose_sum
from planner.records.plan import Plan
from planner.sources import source_named

ANY_AXIS = (0.0, 0.0, 1.0)
"""Stands for the axis of seeds without one: the 1D formalism does not use it."""


def seeds_P(plan: Plan) -> Float[np.ndarray, "m 3"]:
    """Centres of all seeds of the set. [mm]"""
    seeds = () if plan.needle_set is None else plan.needle_set.seeds
    return np.array([seed.position_mm for seed in seeds], dtype=float).reshape(-1, 3)


def plan_dose(plan: Plan) -> DoseAt:
    """Points in P [mm] to dose [Gy], of all seeds, each of the strength that the plan's dose states.

    A seed with an axis gives the dose of the 2D formalism, one without that of the 1D formalism.
    """
    assert plan.dose is not None, "only a plan with a dose is drawn with one"
    strength_u = plan.dose.air_kerma_strength_u
    source = source_named(plan.request.seeds.model)
    centres = seeds_P(plan)
    seeds = () if plan.needle_set is None else plan.needle_set.seeds
    has_axis = np.array([seed.axis is not None for seed in seeds], dtype=bool)
    axes = np.array([ANY_AXIS if s.axis is None else s.axis for s in seeds], dtype=float).reshape(-1, 3)
    parts = [(dose_kernel(source), has_axis)] if has_axis.any() else []
    if not has_axis.all():
        parts.append((dose_kernel_1d(source), ~has_axis))

    def dose(points_P: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        total = np.zeros(len(points_P))
        for kernel, chosen in parts:
            total += dose_sum(kernel, points_P, centres[chosen], axes[chosen])
        return np.asarray(strength_u * total)

    return dose
