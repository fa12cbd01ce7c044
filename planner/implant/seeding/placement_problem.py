"""Placement problem: what seeds are chosen for on given slots, and what a choice of slots costs."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from planner.implant.seeding.descent_kernel import SlotTable
from planner.implant.seeding.goal_cost_kernel import GoalTable, cost_with
from planner.implant.seeding.slots import SeedSpacing, Slots

SEED_COST = 0.0015
"""Cost of a seed, on the scale of the cost of points: enough to remove a seed that hardly helps [U]."""


@dataclass(frozen=True, eq=False)
class PlacementProblem:
    """The choice of slots for seeds, among n slots on t tracks.

    `dose` has the dose of a seed at all m points [Gy]; `row` is the row of each slot in it. `dose_in_place`
    is the dose of seeds that are in place already. [Gy] `spacing` is how far apart seeds must be, `closed`
    marks slots that cannot be used. While tracks are still to be chosen, `track_cost` is the cost of the
    first seed on each, and `conflicts` marks the tracks that cannot both have seeds.
    """

    goals: GoalTable
    slots: Slots
    dose: Float32[np.ndarray, "r m"]
    row: Int[np.ndarray, " n"]
    dose_in_place: Float32[np.ndarray, " m"]
    spacing: SeedSpacing
    closed: Bool[np.ndarray, " n"]
    track_cost: Float[np.ndarray, " t"]
    conflicts: Bool[np.ndarray, "t t"]

    def dose_of(self, chosen: Bool[np.ndarray, " n"]) -> Float32[np.ndarray, " m"]:
        """The dose of the chosen slots and of seeds in place, always summed in the same order. [Gy]"""
        total = self.dose_in_place.astype(float)
        for row in np.flatnonzero(chosen):
            total += self.dose[self.row[row]]
        return total.astype(np.float32)

    def cost(self, chosen: Bool[np.ndarray, " n"]) -> tuple[float, float]:
        """Cost of the chosen slots, with that of seeds and tracks; and the part of it that is for missed
        goals."""
        dose = self.dose_of(chosen)
        total, missed = cost_with(self.goals, dose, np.zeros_like(dose))
        return total + SEED_COST * int(chosen.sum()) + float(
            self.track_cost[self.tracks(chosen)].sum()
        ), missed

    def tracks(self, chosen: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " k"]:
        """Tracks with a chosen slot."""
        return np.unique(self.slots.track[chosen])

    def free(self, chosen: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " k"]:
        """Slots where one more seed can be placed."""
        excluded = self.conflicts[self.tracks(chosen)].any(axis=0)
        clear = self.slots.clear_of(chosen, self.spacing) & ~self.closed
        return np.flatnonzero(clear & ~excluded[self.slots.track])

    @property
    def slot_table(self) -> SlotTable:
        """The slots as the compiled loops take them."""
        return SlotTable(
            self.dose,
            self.row,
            self.dose_in_place,
            self.slots.track,
            self.slots.centre_B,
            self.closed,
            self.track_cost,
            self.conflicts,
            self.spacing.same_track_mm**2,
            self.spacing.any_track_mm**2,
        )

    def part(self, rows: Int[np.ndarray, " k"], others: Bool[np.ndarray, " n"]) -> "PlacementProblem":
        """The problem of placing seeds in the slots `rows`, while the seeds in the slots `others` stay."""
        track_cost = self.track_cost.copy()
        track_cost[self.tracks(others)] = 0.0
        closed = np.ones(len(others), bool)
        closed[self.free(others)] = False
        return replace(
            self,
            slots=self.slots.take(rows),
            row=self.row[rows],
            dose_in_place=self.dose_of(others),
            closed=closed[rows],
            track_cost=track_cost,
        )

    def none(self) -> Bool[np.ndarray, " n"]:
        """No slot chosen."""
        return np.zeros(len(self.slots), bool)
