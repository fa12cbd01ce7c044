"""Distance fields: exact signed distance from the nodes of a field to a union of voxel boxes.

A voxel is a box, not its centre. Along one axis the boxes of a row tile the line, so the squared distance
from t to the nearest box of a row is the lower envelope of parabolas that stand on the box *edges*, or the
height of the box that t lies in:

    height f_j     f_0      f_1      f_2       g(t) = min( f_box(t),  min_m  min(f_m-1, f_m) + (t - e_m)^2 )
                |--------|--------|--------|
               e_0      e_1   t  e_2      e_3

Three such passes, one per axis, give the exact Euclidean distance to the boxes at any set of nodes: the
separable transform of Felzenszwalb and Huttenlocher (10.4086/toc.2012.v008a019), with box edges as sites, and
with output points that differ from the input points. The half voxel from centre to face is part of the
distance.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int16

from anatomy.runtime.jit import jit_checked
from anatomy.runtime.parallel import parallel_for

QUANTUM_MM = 1.0 / 64.0
"""Fields are int16 in 64ths of a millimetre: 0.016 mm is far below any clearance. They saturate at 500 mm,
which is longer than any needle."""

ROUNDING_QUANTA = 2.0
"""A true distance lies in [q, q + ROUNDING_QUANTA) quanta: one for rounding down, and one that covers the
float32 passes, whose error stays below 0.001 mm within 500 mm."""

_FAR = np.float32(1e12)
_SATURATED = 32_000
_GUARD = 0.1
"""Quanta subtracted before rounding down, so that float32 error never rounds up."""


@dataclass(frozen=True, eq=False)
class FieldNodes:
    """Nodes that span a box in B exactly: node (i, j, k) lies at lower_B + step_mm * (i, j, k), the last of
    each axis on the box's upper face. Steps differ a little between axes for that."""

    lower_B: Float[np.ndarray, "3"]
    step_mm: Float[np.ndarray, "3"]
    shape: tuple[int, int, int]

    def axis_B(self, axis: int) -> Float[np.ndarray, "n"]:
        """Node positions along one axis. [mm]"""
        return np.asarray(self.lower_B[axis] + self.step_mm[axis] * np.arange(self.shape[axis]))


def field_nodes_over(
    lower_B: Float[np.ndarray, "3"], upper_B: Float[np.ndarray, "3"], step_mm: float
) -> FieldNodes:
    """The nodes that span the box from `lower_B` to `upper_B`, at most `step_mm` apart. [mm]"""
    cells = np.maximum(1, np.ceil((upper_B - lower_B) / step_mm - 1e-9).astype(int))
    shape = (int(cells[0]) + 1, int(cells[1]) + 1, int(cells[2]) + 1)
    return FieldNodes(np.array(lower_B, float), (upper_B - lower_B) / cells, shape)


def signed_distance(
    mask: Bool[np.ndarray, "nx ny nz"],
    spacing_mm: Float[np.ndarray, "3"] | tuple[float, float, float],
    nodes: FieldNodes,
    offset_V: tuple[int, int, int] = (0, 0, 0),
) -> Int16[np.ndarray, "mx my mz"]:
    """Signed distance from each node to the union of the mask's voxel boxes. [QUANTUM_MM]

    Positive outside: to the nearest set box. Negative inside: to the nearest unset box *of the array*,
    because beyond its edge the scene continues as at the edge. `offset_V` is the index of mask[0, 0, 0] in
    the grid. The true distance lies within ROUNDING_QUANTA above the stored one.
    """
    spacing = np.array(spacing_mm)
    first_B = np.array(offset_V) * spacing
    node_positions = [nodes.axis_B(axis) - first_B[axis] for axis in range(3)]
    out = np.empty(nodes.shape, np.int16)
    for wanted, sign in ((True, 1), (False, -1)):
        _signed_pass(mask.view(np.uint8), wanted, sign, spacing, node_positions, out)
    return out


def _signed_pass(
    mask: np.ndarray,
    wanted: bool,
    sign: int,
    spacing: np.ndarray,
    nodes: list[np.ndarray],
    out: np.ndarray,
) -> None:
    """Distance to the boxes whose value is `wanted`, written into `out` with `sign`."""
    nx, ny, _ = mask.shape
    along_z = np.empty((nx, ny, len(nodes[2])), np.float32)
    parallel_for(lambda a, b: _along_z(mask, np.uint8(wanted), spacing[2], nodes[2], along_z, a, b), nx)
    along_y = np.empty((nx, len(nodes[1]), len(nodes[2])), np.float32)
    parallel_for(lambda a, b: _along_y(along_z, spacing[1], nodes[1], along_y, a, b), nx)
    parallel_for(lambda a, b: _along_x(along_y, spacing[0], nodes[0], sign, out, a, b), len(nodes[1]))


@jit_checked
def _envelope(f, spacing, nodes, site, start, out):  # type: ignore[no-untyped-def]
    """Write into `out` (m) the squared distance envelope over boxes of heights `f` (n) at `nodes` (m)."""
    n = f.shape[0]
    m = nodes.shape[0]
    top = -1
    for e in range(n + 1):
        if e == 0:
            height = f[0]
        elif e == n:
            height = f[n - 1]
        else:
            height = min(f[e - 1], f[e])
        if height >= _FAR:
            continue
        x = (e - 0.5) * spacing
        while top >= 0:
            s = site[top]
            xs = (s - 0.5) * spacing
            hs = f[0] if s == 0 else (f[n - 1] if s == n else min(f[s - 1], f[s]))
            cross = (height + x * x - hs - xs * xs) / (2.0 * (x - xs))
            if cross <= start[top]:
                top -= 1
                continue
            start[top + 1] = cross
            break
        top += 1
        site[top] = e
        if top == 0:
            start[0] = -1e30
    if top < 0:
        for i in range(m):
            out[i] = _FAR
        return
    at = 0
    for i in range(m):
        t = nodes[i]
        while at < top and start[at + 1] <= t:
            at += 1
        s = site[at]
        xs = (s - 0.5) * spacing
        hs = f[0] if s == 0 else (f[n - 1] if s == n else min(f[s - 1], f[s]))
        best = hs + (t - xs) * (t - xs)
        box = int(np.floor(t / spacing + 0.5))
        if 0 <= box < n and f[box] < best:
            best = f[box]
        out[i] = best


@jit_checked
def _along_z(mask, wanted, spacing, nodes, out, first, last):  # type: ignore[no-untyped-def]
    _, ny, nz = mask.shape
    mz = nodes.shape[0]
    low = np.empty(mz, np.int64)
    for k in range(mz):
        low[k] = min(max(int(np.floor(nodes[k] / spacing + 0.5)), 0), nz - 1)
    for i in range(first, last):
        before = np.empty(nz, np.int64)
        after = np.empty(nz, np.int64)
        for j in range(ny):
            nearest = -1
            for k in range(nz):
                if mask[i, j, k] == wanted:
                    nearest = k
                before[k] = nearest
            nearest = nz
            for k in range(nz - 1, -1, -1):
                if mask[i, j, k] == wanted:
                    nearest = k
                after[k] = nearest
            for k in range(mz):
                t = nodes[k]
                d = 1e6
                b = before[low[k]]
                if b >= 0:
                    d = max(0.0, abs(t - b * spacing) - 0.5 * spacing)
                a = after[low[k]]
                if a < nz:
                    d = min(d, max(0.0, abs(t - a * spacing) - 0.5 * spacing))
                out[i, j, k] = d * d


@jit_checked
def _along_y(heights, spacing, nodes, out, first, last):  # type: ignore[no-untyped-def]
    _, ny, nz = heights.shape
    my = nodes.shape[0]
    for i in range(first, last):
        f = np.empty((nz, ny), np.float32)
        for j in range(ny):
            for k in range(nz):
                f[k, j] = heights[i, j, k]
        site = np.empty(ny + 1, np.int64)
        start = np.empty(ny + 2)
        g = np.empty((nz, my), np.float32)
        for k in range(nz):
            _envelope(f[k], spacing, nodes, site, start, g[k])
        for j in range(my):
            for k in range(nz):
                out[i, j, k] = g[k, j]


@jit_checked
def _along_x(heights, spacing, nodes, sign, out, first, last):  # type: ignore[no-untyped-def]
    nx, _, nz = heights.shape
    mx = nodes.shape[0]
    for j in range(first, last):
        f = np.empty((nz, nx), np.float32)
        for i in range(nx):
            for k in range(nz):
                f[k, i] = heights[i, j, k]
        site = np.empty(nx + 1, np.int64)
        start = np.empty(nx + 2)
        g = np.empty((nz, mx), np.float32)
        for k in range(nz):
            _envelope(f[k], spacing, nodes, site, start, g[k])
        for i in range(mx):
            for k in range(nz):
                q = np.sqrt(min(g[k, i], np.float32(1e8))) * 64.0
                # Rounding must not move a node outside that lies on a face or inside.
                if sign > 0:
                    out[i, j, k] = min(int(np.floor(q - _GUARD)) if q > _GUARD else 0, _SATURATED)
                elif q > 0.0 and out[i, j, k] == 0:
                    out[i, j, k] = max(int(np.floor(-q - _GUARD)), -_SATURATED)
