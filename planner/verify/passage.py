"""Claims on what the axis runs through between entry and tip: structures, lung, pleura and fissures."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from anatomy.structures import Role
from planner.records import PLEURAL_GAP_MM, Crossing
from planner.verify.claims import Claims
from planner.verify.sight import Sight
from planner.verify.spans import Spans, merged, total
from planner.verify.tolerances import LENGTH_MM, SLIVER_MM
from planner.verify.trial import Trial


def check_passage(claims: Claims, trial: Trial) -> None:
    """All claims of this module on one path."""
    _check_crossings(claims, trial)
    _check_lung(claims, trial)
    _check_counts(claims, trial)


def _check_crossings(claims: Claims, trial: Trial) -> None:
    path, length = trial.path, trial.axis.length_mm
    depths = [c.from_mm for c in path.crosses]
    in_order = all(a <= b + LENGTH_MM for a, b in zip(depths, depths[1:], strict=False))
    claims.holds(
        "structures are crossed in the order given",
        trial.subject,
        ", ".join(c.structure for c in path.crosses),
        "in order" if in_order else "out of order",
        in_order,
    )
    structures = {s.name: s for s in trial.scene.structures if s.role is not Role.SKIN}
    for name in sorted(structures.keys() | {c.structure for c in path.crosses}):
        claimed = _depths_claimed(path.crosses, name)
        readings = _depths_read(trial, name) if name in structures else iter([merged(np.empty((0, 2)))])
        found = _matching(claimed, [length - spans[::-1, ::-1] for spans in readings])
        if len(claimed) or len(found):
            claims.holds(
                f"crosses {name}", trial.subject, _written(claimed), _written(found), _agree(claimed, found)
            )
