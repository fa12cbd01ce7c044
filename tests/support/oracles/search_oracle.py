"""The oracle of the search: every line judged from voxel boxes alone, without fields, nets or kernels."""

from dataclasses import dataclass

import numpy as np
from small_chests import Chest, Lines

from anatomy.structures import Role
from planner.records.defaults import least_chord_mm
from planner.records.request.request import Request
from planner.search.kernels import verdicts

TOLERANCE_MM = 1e-6
"""Nearer to a boundary than this, either verdict is right: a thousand times the float64 rounding."""


SPARE_MM = 1.0
"""Margins are computed up to here; larger ones do not matter."""


BEYOND_MM = 1e4
"""Boxes that the edge of the field of view cuts are extended this far."""


LINES_AT_A_TIME = 256


def hub_radius_of(request: Request) -> float:
    """The hub's radius; the needle's for a hub without length or a thinner one. [mm]"""
    radius = request.needle.outer_diameter_mm / 2
    return max(radius, request.pose.hub_diameter_mm / 2) if request.pose.hub_length_mm > 0 else radius


@dataclass(frozen=True, eq=False)
class Boxes:
    """Lower and upper corners (n, 3) of boxes in B. [mm]"""

    low: np.ndarray
    high: np.ndarray


def boxes_of(mask: np.ndarray, spacing: np.ndarray, unbounded: bool = False) -> Boxes:
    """The voxels of a mask, those that touch joined to larger boxes. With `unbounded`, a box at the edge of
    the field of view is extended by BEYOND_MM."""
    first = np.argwhere(mask)
    last = first + 1
    for axis in (2, 1, 0):
        first, last = join_boxes(first, last, axis)
    low, high = (first - 0.5) * spacing, (last - 0.5) * spacing
    if unbounded:
        low[first == 0] = -BEYOND_MM
        high[last == np.array(mask.shape)] = BEYOND_MM
    return Boxes(low, high)


def join_boxes(first: np.ndarray, last: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The boxes, with those joined that meet along an axis and have the same cross-section."""
    other_axes = [a for a in range(3) if a != axis]
    cross_section = np.concatenate([first[:, other_axes], last[:, other_axes]], axis=1)
    order = np.lexsort((first[:, axis], *cross_section.T))
    first, last, cross_section = first[order], last[order], cross_section[order]
    begins = np.ones(len(first), bool)
    begins[1:] = (cross_section[1:] != cross_section[:-1]).any(axis=1) | (first[1:, axis] != last[:-1, axis])
    return first[begins], last[np.roll(begins, -1)]


def spans(boxes: Boxes, lines: Lines) -> tuple[np.ndarray, np.ndarray]:
    """First and last s (n, m) of each line in each box; the last is not larger where the line misses it."""
    shape = (len(lines), len(boxes.low))
    first, last = np.full(shape, -np.inf), np.full(shape, np.inf)
    for axis in range(3):
        p, d = lines.point[:, axis, None], lines.outward[:, axis, None]
        d = np.where(np.abs(d) < 1e-200, 1e-200, d)
        at_low, at_high = (boxes.low[None, :, axis] - p) / d, (boxes.high[None, :, axis] - p) / d
        np.maximum(first, np.minimum(at_low, at_high), out=first)
        np.minimum(last, np.maximum(at_low, at_high), out=last)
    return first, last


def length_in(boxes: Boxes, lines: Lines, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Length (n,) of each line in boxes that do not overlap, between two positions on it. [mm]"""
    first, last = spans(boxes, lines)
    inside = np.minimum(last, end[:, None]) - np.maximum(first, start[:, None])
    return np.asarray(np.maximum(0.0, inside).sum(axis=1))


def segment_distance(start: np.ndarray, end: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Distance from segments to boxes, pair by pair. Half the slope of its square never falls along the
    segment: bisection finds where it changes sign. [mm]"""
    step = end - start
    first, last = np.zeros(len(start)), np.ones(len(start))

    def outside(t: np.ndarray) -> np.ndarray:
        at = start + t[:, None] * step
        return np.maximum(at - high, 0.0) + np.minimum(at - low, 0.0)

    for _ in range(46):
        t = 0.5 * (first + last)
        rises = (outside(t) * step).sum(axis=1) > 0.0
        first, last = np.where(rises, first, t), np.where(rises, t, last)
    return np.asarray(np.linalg.norm(outside(0.5 * (first + last)), axis=1))


def near_pairs(
    start: np.ndarray, end: np.ndarray, boxes: Boxes, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Segments and boxes, pair by pair, that may lie within `reach` of each other: the box's centre is
    within `reach` plus half the box's diagonal of the segment."""
    middle, half = 0.5 * (boxes.low + boxes.high), 0.5 * np.linalg.norm(boxes.high - boxes.low, axis=1)
    step = (end - start)[:, None]
    from_one = middle[None] - start[:, None]
    t = (from_one * step).sum(axis=2) / np.maximum(1e-30, (step**2).sum(axis=2))
    distance_mm = np.linalg.norm(from_one - np.clip(t, 0.0, 1.0)[..., None] * step, axis=2)
    segment, box = np.nonzero(distance_mm <= reach + half)
    return segment, box


@dataclass(frozen=True, eq=False)
class Judged:
    """What is true of n lines. `reasons` (n, verdicts): which refusals are true. `doubtful`: one of them is
    within TOLERANCE_MM of its boundary. `margin`: least (distance - need) of needle and hub, to SPARE_MM."""

    reasons: np.ndarray
    doubtful: np.ndarray
    tip: np.ndarray
    length: np.ndarray
    chord: np.ndarray
    lung: np.ndarray
    margin: np.ndarray

    @property
    def safe(self) -> np.ndarray:
        return np.asarray(~self.reasons.any(axis=1))


class Oracle:
    """Brute force on one chest."""

    def __init__(self, chest: Chest) -> None:
        scene, request = chest.scene, chest.request
        self.chest, self.grid = chest, scene.grid
        spacing = scene.grid.spacing_mm
        self.low, self.high = -0.5 * spacing, (np.array(scene.grid.shape) - 0.5) * spacing
        masks = {s.name: s.mask.layer == s.mask.label for s in scene.structures}
        body = scene.body.layer == scene.body.label
        target, lung = np.zeros_like(body), np.zeros_like(body)
        for s in scene.of_role(Role.TARGET):
            target |= masks[s.name]
        for s in scene.of_role(Role.LUNG):
            lung |= masks[s.name]
        self.target, self.lung = boxes_of(target, spacing), boxes_of(lung & ~target, spacing)
        self.body, self.air = boxes_of(body, spacing, True), boxes_of(~body, spacing, True)
        self.obstacles = [
            (request.clearance_of(s.name) + request.needle.radius_mm, boxes_of(masks[s.name], spacing))
            for s in scene.of_role(Role.FORBIDDEN, Role.OUTSIDE)
        ]

    def judge(self, lines: Lines) -> Judged:
        """The verdicts and measures of the lines."""
        pieces = [
            self._judge(lines.take(slice(n, n + LINES_AT_A_TIME)))
            for n in range(0, len(lines), LINES_AT_A_TIME)
        ]
        return Judged(*(np.concatenate(parts) for parts in zip(*pieces, strict=True)))

    def _judge(self, lines: Lines) -> tuple[np.ndarray, ...]:
        request = self.chest.request
        first, last = spans(self.target, lines)
        chord = np.maximum(0.0, last - first).sum(axis=1)
        least_mm = least_chord_mm(self.chest.scene, request.target, request.seeds.source.seed_length_mm)
        missed = (chord == 0.0) | (chord < least_mm)
        tip = np.where(chord == 0.0, 0.0, np.where(last > first, first, np.inf).min(axis=1))
        end = tip + request.needle.max_length_mm
        hub_end = end + request.pose.hub_length_mm
        # The body ends where air begins; an edge or corner that is only touched does not count.
        first, last = spans(self.air, lines)
        leaves_body = (last > first + 1e-9) & (last > tip[:, None])
        entry = np.where(leaves_body, np.maximum(first, tip[:, None]), np.inf).min(axis=1)
        edge = spans(Boxes(self.low[None], self.high[None]), lines)[1][:, 0]
        inside = entry >= np.minimum(edge, end)
        reentry = length_in(self.body, lines, entry, hub_end)
        # If the last voxel of the body is an outermost one, the edge cuts the body there.
        last_point = lines.point + (np.minimum(entry, edge) - 1e-7)[:, None] * lines.outward
        index = np.floor(last_point / self.grid.spacing_mm + 0.5)
        outermost = ((index < 1) | (index > np.array(self.grid.shape) - 2)).any(axis=1)
        needle = self._margin(lines, tip, end, 0.0)
        hub_radius = hub_radius_of(request)
        hub = self._margin(lines, end, hub_end, hub_radius - request.needle.radius_mm)
        table, bore = self._room(lines, tip, end, hub_end)
        reasons = np.zeros((len(lines), len(verdicts.VERDICTS)), bool)
        reasons[:, verdicts.BLOCKED] = needle < 0.0
        reasons[:, verdicts.TOO_LONG] = inside & (end <= edge)
        reasons[:, verdicts.CUT_EDGE] = (inside & (edge < end)) | (~inside & outermost)
        reasons[:, verdicts.TIP_OUTSIDE] = entry == tip
        reasons[:, verdicts.RE_ENTERS] = ~inside & (reentry > 0.0)
        reasons[:, verdicts.TABLE] = table < 0.0
        reasons[:, verdicts.BORE] = bore < 0.0
        reasons[:, verdicts.HUB_BLOCKED] = hub < 0.0
        # A line that misses the target has no needle, so any other reason is accepted too.
        reasons[missed] = np.arange(len(verdicts.VERDICTS)) != verdicts.SAFE
        deciding = [
            needle,
            hub,
            table,
            bore,
            entry - end,
            edge - end,
            entry - edge,
            chord - least_mm,
            reentry,
        ]
        deciding += [chord, entry - tip]
        doubtful = np.any([(x != 0.0) & (np.abs(x) < TOLERANCE_MM) for x in deciding], axis=0)
        lung = length_in(self.lung, lines, tip, entry)
        return reasons, doubtful, tip, entry - tip, chord, lung, np.minimum(needle, hub)

    def _room(self, lines: Lines, *places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Clearances above the need: of needle and hub from the table, of the hub's end from the bore. [mm]
        `places`: tip, needle's end, hub's end."""
        request, pose = self.chest.request, self.chest.scene.pose
        at = [self.grid.to_patient(lines.point + s[:, None] * lines.outward) for s in places]
        hub_radius = hub_radius_of(request)
        from_axis = np.linalg.norm(np.cross(pose.bore.axis_P, at[2] - pose.bore.centre_P), axis=1)
        bore = pose.bore.radius_mm - from_axis - hub_radius
        if pose.table is None:
            return np.full(len(lines), np.inf), bore
        free = [pose.table.offset_mm - x @ pose.table.normal_P - request.clearance_of("table") for x in at]
        needle = np.minimum(free[0], free[1]) - request.needle.radius_mm
        return np.minimum(needle, np.minimum(free[1], free[2]) - hub_radius), bore

    def _margin(self, lines: Lines, start: np.ndarray, end: np.ndarray, extra: float) -> np.ndarray:
        """Least (distance - need - extra) between two positions, at most SPARE_MM. Points outside the field
        of view are clipped to it, so that the axis becomes a polyline. [mm]"""
        with np.errstate(divide="ignore"):
            planes = [(x - lines.point) / lines.outward for x in (self.low, self.high)]
        cuts = np.sort(np.clip(np.concatenate(planes, axis=1), start[:, None], end[:, None]), axis=1)
        places = np.concatenate([start[:, None], cuts, end[:, None]], axis=1)
        n, piece = np.nonzero(np.diff(places, axis=1) > 0.0)
        piece_start, piece_end = (
            np.clip(lines.point[n] + places[n, m, None] * lines.outward[n], self.low, self.high)
            for m in (piece, piece + 1)
        )
        margin = np.full(len(lines), SPARE_MM)
        for need, boxes in self.obstacles:
            a, b = near_pairs(piece_start, piece_end, boxes, need + extra + SPARE_MM)
            distance_mm = segment_distance(piece_start[a], piece_end[a], boxes.low[b], boxes.high[b])
            np.minimum.at(margin, n[a], distance_mm - need - extra)
        return margin
