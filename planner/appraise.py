"""Appraisal: measure and judge needles that a user positions by hand.

    entry o----------------------------> o tip          both as given: moved by a user, not by a search

An appraisal has the same quantities as a plan's paths, from the same voxels, for one needle or a thousand.
The tip stays as given; the entry is where the line leaves the skin. Distances are exact. The verdict depends
on what the needle aims at (planner.search.tip_requirements). An appraisal is not a plan: it is not verified
by other mathematics.
"""

from collections.abc import Iterator, Sequence
from math import dist, fsum

import numpy as np
from jaxtyping import Float

from anatomy.runtime.parallel import parallel_for
from anatomy.scene import Scene
from anatomy.structures import Role
from planner.dose.ptv import ptv_of
from planner.measuring.angles import axial_angles_deg, craniocaudal_angles_deg
from planner.measuring.crossings_batch import CrossingsBatch, NeedleCrossings
from planner.measuring.structure_sets import structure_sets
from planner.records.appraisal import Appraisal, Lack, NearbyStructure, Reason, SkinLack
from planner.records.defaults import least_chord_mm
from planner.records.paths import CLEARANCE_CAP_MM, Aim
from planner.records.request.point import Point
from planner.records.request.request import Request
from planner.records.search import TABLE
from planner.records.wording.appraisal import no_room_in_bore, no_way_to_skin, too_near
from planner.search.kernels import appraise as kernel
from planner.search.kernels.clear import ROUNDING_MM
from planner.search.kernels.verdicts import CUT_EDGE, RE_ENTERS, SAFE, TIP_OUTSIDE, TOO_LONG
from planner.search.scene_fields import search_fields
from planner.search.tip_requirements import TipRequirements

NEAR_MM = 5.0
"""Structures within this distance of the needle's wall are reported, whatever clearance they need [U]."""

_SKIN = {
    TOO_LONG: SkinLack.NEEDLE_LENGTH,
    CUT_EDGE: SkinLack.FIELD_OF_VIEW,
    RE_ENTERS: SkinLack.SECOND_ENTRY,
    TIP_OUTSIDE: SkinLack.TIP_OUTSIDE,
}
"""How a walk from the tip outward may end without reaching the skin."""


class Appraiser:
    """Appraises needles in one scene under one request. Prepares what all share, so that each is fast.

    Raises RequestError for a structure to cut the PTV back from that is not in the scene.
    """

    def __init__(self, scene: Scene, request: Request) -> None:
        self._scene, self._needle = scene, request.needle_assembly
        self._fields = search_fields(scene, request)
        kept_free = scene.of_role(Role.FORBIDDEN), scene.of_role(Role.OUTSIDE)
        # Forbidden ones first: the kernel recognises them by their numbers.
        structures = (*kept_free[0], *kept_free[1])
        self._forbidden, self._kept_free = len(kept_free[0]), len(structures)
        self._names = tuple(s.name for s in structures)
        self._needs = np.array([request.clearance_of(name) for name in self._names])
        self._structure_sets = structure_sets(structures, scene.grid.shape)
        self._crossings = CrossingsBatch(scene, ptv_of(scene, request.target))
        seed_mm = request.seeds.source.seed_length_mm
        self._tip_requirements = TipRequirements(least_chord_mm(scene, request.target, seed_mm), seed_mm)
        self._table_need_mm = request.clearance_of(TABLE)

    def appraise(
        self,
        entries_P: Float[np.ndarray, "n 3"],
        tips_P: Float[np.ndarray, "n 3"],
        aims: Sequence[Aim] | None = None,
    ) -> list[Appraisal]:
        """The needles from these entries to these tips, in order, each judged by its aim; the default aim is
        the target. [mm]

        Raises ValueError if entry and tip of a needle are the same point: it has no direction.
        """
        given_mm = np.linalg.norm(entries_P - tips_P, axis=1)
        if (given_mm == 0.0).any():
            raise ValueError(f"needle {int(np.argmin(given_mm))} has its entry at its tip")
        outwards_P = (entries_P - tips_P) / given_mm[:, None]
        grid = self._scene.grid
        tips_B, outwards_B = grid.to_box(tips_P), grid.vectors_to_box(outwards_P)
        columns, needle, hub = self._measured(tips_B, outwards_B)
        reached = columns[:, kernel.WALK] == SAFE
        lengths = np.where(reached, columns[:, kernel.LENGTH], given_mm)
        entries_P = tips_P + lengths[:, None] * outwards_P
        radius, hub_radius = self._needle.radius_mm, self._needle.hub_radius_mm
        rows = zip(
            [Aim.TARGET] * len(tips_P) if aims is None else aims,
            # Adding zero turns -0.0 into 0.0, so that a number has only one text.
            map(tuple, (tips_P + 0.0).tolist()),
            map(tuple, (entries_P + 0.0).tolist()),
            map(tuple, (0.0 - outwards_P).tolist()),
            axial_angles_deg(-outwards_P).tolist(),
            craniocaudal_angles_deg(-outwards_P).tolist(),
            columns.tolist(),
            self._nearest(needle),
            self._nearby(needle, columns[:, kernel.NEEDLE_TABLE], radius, NEAR_MM),
            self._nearby(hub, columns[:, kernel.HUB_TABLE], hub_radius, -np.inf),
            self._crossings.along(entries_P, tips_P),
            strict=True,
        )
        return [self._appraisal(*row) for row in rows]

    def _measured(self, tips_B: np.ndarray, outwards_B: np.ndarray) -> tuple[np.ndarray, ...]:
        """The kernel's columns, and the distances of needles and hubs to each structure. [mm]"""
        count = len(tips_B)
        most = float(self._needs.max()) if len(self._needs) else 0.0
        reach = self._needle.radius_mm + max(NEAR_MM, most)
        columns = np.zeros((count, kernel.COLUMNS))
        # One extra column, so that the minimum exists in a scene without obstacles.
        needle = np.full((count, self._kept_free + 1), np.inf)
        hub = np.full((count, self._kept_free + 1), np.inf)
        parallel_for(
            lambda a, b: kernel.appraise_range(
                self._fields,
                self._structure_sets.sets,
                self._structure_sets.starts,
                self._structure_sets.members,
                max(1, self._forbidden),
                reach,
                max(reach, CLEARANCE_CAP_MM + self._needle.radius_mm),
                self._needle.hub_radius_mm + most,
                tips_B,
                outwards_B,
                columns,
                needle,
                hub,
                a,
                b,
            ),
            count,
        )
        return columns, needle[:, : self._kept_free], hub[:, : self._kept_free]

    def _appraisal(
        self,
        aim: Aim,
        tip_mm: Point,
        entry_mm: Point,
        direction: Point,
        axial_angle_deg: float,
        craniocaudal_angle_deg: float,
        row: list[float],
        nearest: tuple[float, str],
        nearby: list[NearbyStructure],
        hub_nearby: list[NearbyStructure],
        along: NeedleCrossings,
    ) -> Appraisal:
        walk = int(row[kernel.WALK])
        reached = walk == SAFE
        reasons = (
            *(() if reached else (no_way_to_skin(_SKIN[walk]),)),
            *self._tip_requirements.lacks(aim, along, dist(entry_mm, tip_mm)),
            *_lacks(Lack.NEEDLE, nearby),
            *_lacks(Lack.HUB, hub_nearby),
            *self._bore_lacks(row[kernel.BORE_DISTANCE]),
        )
        return Appraisal(
            aim=aim,
            entry_mm=entry_mm if reached else None,
            tip_mm=tip_mm,
            direction=direction,
            length_mm=row[kernel.LENGTH] if reached else None,
            lung_length_mm=row[kernel.LUNG] if reached else None,
            pleural_punctures=int(row[kernel.PUNCTURES]) if reached else None,
            fissures_crossed=int(row[kernel.FISSURES]) if reached else None,
            clearance_mm=nearest[0],
            nearest_structure=nearest[1],
            crosses=along.crosses,
            axial_angle_deg=axial_angle_deg,
            craniocaudal_angle_deg=craniocaudal_angle_deg,
            target_chord_mm=fsum(b - a for a, b in along.target),
            clearances=tuple(nearby),
            safe=not reasons,
            reasons=reasons,
        )

    def _nearest(self, needle: np.ndarray) -> Iterator[tuple[float, str]]:
        """For each needle, its clearance from the nearest forbidden structure, and the structure's name.
        [mm]"""
        forbidden = np.hstack([needle[:, : self._forbidden], np.full((len(needle), 1), np.inf)])
        places = np.argmin(forbidden, axis=1)
        free = forbidden[np.arange(len(needle)), places] - self._needle.radius_mm
        for place, clearance_mm in zip(places.tolist(), free.tolist(), strict=True):
            below_cap = clearance_mm < CLEARANCE_CAP_MM
            yield (clearance_mm, self._names[place]) if below_cap else (CLEARANCE_CAP_MM, "")

    def _nearby(
        self, distances: np.ndarray, table: np.ndarray, radius_mm: float, near_mm: float
    ) -> Iterator[list[NearbyStructure]]:
        """For each needle or hub, the structures within `near_mm` of its wall and those nearer than they may
        be, the nearest first; including a derived table."""
        names, needs = (*self._names, TABLE), [*self._needs.tolist(), self._table_need_mm]
        free = np.hstack([distances, table[:, None]]) - radius_mm
        is_near = (free <= near_mm) | (free < np.array(needs) - ROUNDING_MM)
        # Nearest first, and equal ones by name.
        by_name = np.argsort(np.array(names), kind="stable")
        near_free = np.where(is_near, free, np.inf)[:, by_name]
        order = by_name[np.argsort(near_free, axis=1, kind="stable")]
        for count, places, row in zip(is_near.sum(axis=1).tolist(), order, free, strict=True):
            first = places[:count]
            yield [
                NearbyStructure(names[s], clearance_mm, needs[s])
                for s, clearance_mm in zip(first.tolist(), row[first].tolist(), strict=True)
            ]

    def _bore_lacks(self, bore_mm: float) -> tuple[Reason, ...]:
        radius = self._needle.hub_radius_mm
        if bore_mm >= radius - ROUNDING_MM:
            return ()
        return (no_room_in_bore(bore_mm, radius),)


def _lacks(lack: Lack, nearby: list[NearbyStructure]) -> tuple[Reason, ...]:
    return tuple(
        too_near(lack, one.structure, one.clearance_mm, one.needed_mm)
        for one in nearby
        if one.clearance_mm < one.needed_mm - ROUNDING_MM
    )
