"""Cell test: whether a cell is proved to hold no safe line, and otherwise how far apart its lines are.

    rho(s) = sqrt(2) (|1 - t| h_A + |t| h_C),   t = s / |C - A|       every line of the cell is within rho(s)
                                                                      of the centre line at depth s
A cell is proved blocked by one of
    target      no line touches it:     distance(s) > rho(s) at all depths of the target
    obstacle    all lines too near:     (distance - need)(s) < -rho(s) at a depth that all needles reach
    skin        all needles end in the body, or leave through the cut edge of the field of view
    table, bore all needles meet the table, or all hubs the bore
Depths that all needles reach run from the shallowest tip to the end of the needle with the deepest tip.
"""

from math import sqrt

from anatomy.runtime.jit import jit_inline
from planner.search.kernels.line import bore_distance, table_distance
from planner.search.kernels.lookup import bounds_from_node, clamped

ALIVE = 0
ELSEWHERE = 1
MISSES = 2
OBSTRUCTED = 3
CUT = 4
BURIED = 5
TABLE_OR_BORE = 6
CENTRE_BLOCKED = 7
"""Not a proof: in a cell so small that only its centre line matters, that line is blocked."""

STEP_MM = 1.0
"""Smallest step of a walk. A longer step can only miss a proof, never make a false one."""

_ROOT_2 = sqrt(2.0)


@jit_inline
def cell_radius_at(s, length, half_a, half_c):  # type: ignore[no-untyped-def]
    """rho(s): the largest distance of the cell's lines from its centre line at depth s. [mm]"""
    t = s / length
    return _ROOT_2 * (abs(1.0 - t) * half_a + abs(t) * half_c)


@jit_inline
def _target_depths(fields, p, d, length, half_a, half_c, last):  # type: ignore[no-untyped-def]
    """(first, tip): no line of the cell touches the target before `first`, and every tip lies before `tip`.

    first < 0 if no line touches the target. `tip` is a depth at which all lines are inside the target, if
    there is one, else the last depth at which a line may touch it.
    """
    lower, step = fields.near_target_lower, fields.near_target_step
    nx, ny, nz = fields.near_target.shape
    widest = max(cell_radius_at(0.0, length, half_a, half_c), cell_radius_at(last, length, half_a, half_c))
    first, tip = -1.0, -1.0
    s = 0.0
    while s <= last:
        x, y, z = p[0] + s * d[0], p[1] + s * d[1], p[2] + s * d[2]
        cx = clamped(x, lower[0], lower[0] + (nx - 1) * step[0])
        cy = clamped(y, lower[1], lower[1] + (ny - 1) * step[1])
        cz = clamped(z, lower[2], lower[2] + (nz - 1) * step[2])
        low, high = bounds_from_node(fields.near_target, lower, step, cx, cy, cz)
        if low > widest + STEP_MM:
            s += low - widest
            continue
        if first < 0.0:
            first = s
        if high + abs(x - cx) + abs(y - cy) + abs(z - cz) < -widest:
            return first, s
        # Within this distance the field cannot fall below -widest, where all lines would be inside.
        advance = max(STEP_MM, low + widest) if low < widest else STEP_MM
        tip = s + advance
        s += advance
    return first, min(tip, last)


@jit_inline
def test_cell(fields, p, d, length, gap, half_a, half_c, last, tightest):  # type: ignore[no-untyped-def]
    """(state, first, skin, tightest): a proof that no line of the cell is safe, or ALIVE and depths. [mm]

    No line of the cell touches the target before `first`; from `skin` on all safe lines are outside the body.

    `p` on plane A and `d` (unit, outward) give the centre line, `length` is its length from A to C, `gap` the
    distance between the planes, `last` the depth of the target's near side along it. `tightest` is the depth
    at which obstacles are nearest: as an argument that of the parent cell (0.0 if unknown), because a child
    is mostly blocked where its parent nearly was; as a result that of this cell. It is a depth that all
    needles reach.
    """
    if tightest > 0.0:
        wide = cell_radius_at(tightest, length, half_a, half_c)
        if obstacle_above(fields, p, d, tightest) + wide < 0.0:
            return OBSTRUCTED, 0.0, 0.0, tightest
    first, tip = _target_depths(fields, p, d, length, half_a, half_c, last)
    if first < 0.0:
        return MISSES, 0.0, 0.0, 0.0
    # Depth across the planes is the same for all lines of a cell; length along them is not. A line that leans
    # more reaches less far, so the needle's end lies between these two depths, given along the centre line.
    along = length / gap
    lean = sqrt(max(0.0, along * along - 1.0))
    more = lean + 2.0 * _ROOT_2 * max(half_a, half_c) / gap
    less = max(0.0, lean - 2.0 * _ROOT_2 * max(half_a, half_c) / gap)
    end = first + fields.needle_length * along / sqrt(1.0 + more * more)
    end_late = tip + fields.needle_length * along / sqrt(1.0 + less * less)
    if end <= tip:
        # A needle hardly longer than the target: no depth is reached by all needles.
        return ALIVE, first, end_late, 0.0
    wide = cell_radius_at(end, length, half_a, half_c)
    if table_distance(fields, p, d, end) + wide < fields.table_need:
        return TABLE_OR_BORE, 0.0, 0.0, 0.0
    if _hub_cannot_fit(fields, p, d, length, half_a, half_c, first, tip, along / sqrt(1.0 + more * more)):
        return TABLE_OR_BORE, 0.0, 0.0, 0.0
    state, skin, tightest = _walk(fields, p, d, length, half_a, half_c, tip, end)
    if state != ALIVE:
        return state, 0.0, 0.0, 0.0
    if skin < 0.0:
        middle = 0.5 * (end + end_late)
        x = clamped(p[0] + middle * d[0], fields.lower[0], fields.upper[0])
        y = clamped(p[1] + middle * d[1], fields.lower[1], fields.upper[1])
        z = clamped(p[2] + middle * d[2], fields.lower[2], fields.upper[2])
        _, high = bounds_from_node(fields.body, fields.lower, fields.body_step, x, y, z)
        widest = max(wide, cell_radius_at(end_late, length, half_a, half_c))
        if high + 0.5 * (end_late - end) + widest < 0.0:
            return BURIED, 0.0, 0.0, 0.0
        skin = end_late
    return ALIVE, first, skin, tightest


@jit_inline
def covered_radius(first, skin, gap, half_a, half_c):  # type: ignore[no-untyped-def]
    """The largest distance of a cell's lines from its centre line between two depths across the planes. [mm]

    rho is convex in depth, so its maximum is at one of the ends.
    """
    return max(cell_radius_at(first, gap, half_a, half_c), cell_radius_at(skin, gap, half_a, half_c))


@jit_inline
def obstacle_above(fields, p, d, s):  # type: ignore[no-untyped-def]
    """Upper bound of (distance - need) at p + s d. [mm]"""
    x = clamped(p[0] + s * d[0], fields.lower[0], fields.upper[0])
    y = clamped(p[1] + s * d[1], fields.lower[1], fields.upper[1])
    z = clamped(p[2] + s * d[2], fields.lower[2], fields.upper[2])
    return bounds_from_node(fields.obstacle, fields.lower, fields.obstacle_step, x, y, z)[1]


@jit_inline
def _hub_cannot_fit(fields, p, d, length, half_a, half_c, first, tip, shrink):  # type: ignore[no-untyped-def]
    """Whether every hub's end lies outside the bore. The opening is convex: a line that starts inside and has
    left it stays outside, so the earliest end is decisive if all tips are certainly inside."""
    start = bore_distance(fields, p, d, first) - cell_radius_at(0.0, length, half_a, half_c) - (tip - first)
    if start < fields.hub_radius:
        return False
    hub_end = first + (fields.needle_length + fields.hub_length) * shrink
    wide = cell_radius_at(hub_end, length, half_a, half_c)
    return bore_distance(fields, p, d, hub_end) + wide < fields.hub_radius


@jit_inline
def _walk(fields, p, d, length, half_a, half_c, start, end):  # type: ignore[no-untyped-def]
    """(state, skin, tightest): a proof by obstacles or by the edge of the field of view, else the depth from
    which every line is outside the body (-1 if there is none before `end`), and the depth at which obstacles
    are nearest."""
    lower, upper = fields.lower, fields.upper
    skin = -1.0
    least, tightest = 1e30, start
    s = start
    while s < end:
        wide = cell_radius_at(s, length, half_a, half_c)
        x, y, z = p[0] + s * d[0], p[1] + s * d[1], p[2] + s * d[2]
        cx = clamped(x, lower[0], upper[0])
        cy = clamped(y, lower[1], upper[1])
        cz = clamped(z, lower[2], upper[2])
        low, high = bounds_from_node(fields.obstacle, lower, fields.obstacle_step, cx, cy, cz)
        if high + wide < 0.0:
            return OBSTRUCTED, skin, s
        if high + wide < least:
            least, tightest = high + wide, s
        advance = low + wide
        if skin < 0.0:
            body_low, body_high = bounds_from_node(fields.body, lower, fields.body_step, cx, cy, cz)
            beyond = max(abs(x - cx), max(abs(y - cy), abs(z - cz)))
            if beyond > wide and body_high + wide < 0.0:
                return CUT, skin, s
            # No safe line is in the body beyond the field of view: it must leave the body before the field of
            # view.
            if body_low > wide or beyond > wide:
                skin = s
            else:
                advance = min(advance, wide - body_high)
        s += max(advance, STEP_MM)
    return ALIVE, skin, tightest
