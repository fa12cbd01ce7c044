"""Blockers: what blocks a needle first, and in what share of directions."""

from collections import Counter

import numpy as np

from anatomy.scene import Scene
from anatomy.structures import Role
from planner.measuring.clearance import Obstacles
from planner.records.request.clearances import Clearances
from planner.records.search import CONSTRAINT_NAMES, Blocker, Constraint
from planner.search.kernels import line, verdicts
from planner.search.kernels.search_fields import SearchFields
from planner.search.line_net import even_directions

DIRECTIONS = 2000
"""Sampled directions: one for each 20 square degrees of the sphere (41,253 / 2,000), so that the standard
deviation of a share is at most sqrt(0.25 / 2,000) = 1.1 % [C]."""

STEP_MM = 0.5
"""Length of axis, from the first point that is too near, for which the blocking structure is determined
[U]."""

_CONSTRAINTS = {
    # A line through a voxel of the target does not miss it.
    verdicts.MISSES_TARGET: Constraint.MIN_CHORD,
    verdicts.TOO_LONG: Constraint.NEEDLE_LENGTH,
    verdicts.CUT_EDGE: Constraint.FIELD_OF_VIEW,
    verdicts.RE_ENTERS: Constraint.SECOND_ENTRY,
    verdicts.TABLE: Constraint.TABLE,
    verdicts.BORE: Constraint.BORE,
}


def blocked_by(scene: Scene, clearances: Clearances, fields: SearchFields) -> tuple[Blocker, ...]:
    """Shares of directions through the target's middle by what blocks them, largest first.

    Where needle or hub first comes too near to structures, the one that lacks most of its clearance blocks.
    """
    voxels = np.argwhere(fields.target)
    middle = voxels[np.argmin(np.linalg.norm(voxels - voxels.mean(axis=0), axis=1))]
    # Slightly off the voxel's middle, so that no direction runs along voxel faces.
    point_B = (middle + np.array(fields.target_first_V) + 0.01) * np.array(fields.spacing)
    points = np.tile(point_B, (DIRECTIONS, 1))
    outward = even_directions(DIRECTIONS)
    verdict = line.first_verdicts(fields, points, outward)
    blocks = line.first_blocks(fields, points, outward)
    kept_free = scene.of_role(Role.FORBIDDEN, Role.OUTSIDE)
    obstacles = Obstacles(kept_free, scene.grid)
    needs = {s.name: clearances.need_mm(s.name) for s in kept_free}
    # The hub needs the same additional distance from every structure.
    reach = max(needs.values(), default=0.0) + fields.hub_extra + STEP_MM
    counts: Counter[tuple[Constraint, str]] = Counter()
    for n in range(DIRECTIONS):
        if verdict[n] in (verdicts.BLOCKED, verdicts.HUB_BLOCKED):
            at = points[n] + blocks[n] * outward[n]
            at = np.clip(at, fields.lower, fields.upper)
            name = obstacles.lacking_most(at, at + STEP_MM * outward[n], needs, reach)
            if name:
                counts[Constraint.CLEARANCE, name] += 1
        elif verdict[n] in _CONSTRAINTS:
            constraint = _CONSTRAINTS[int(verdict[n])]
            counts[constraint, CONSTRAINT_NAMES[constraint]] += 1
    shares = [Blocker(*blocks, count / DIRECTIONS) for blocks, count in counts.items()]
    return tuple(sorted(shares, key=lambda b: (-b.share, b.structure, b.constraint)))
