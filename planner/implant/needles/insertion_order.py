"""The order of insertion: needles are driven one after another, and stay in place.

    in place      tip o====== shaft =======|-- hub --|
    at the start      |<- length ->| tip o====== shaft =======|-- hub --|
                                    skin

A needle that is driven along its axis, starting where its tip meets the skin, sweeps its final volume,
extended outward by its length below the skin. Where this comes too near a needle in place, it is stopped: it
must be driven before that one. How the operator brings it to the skin, past needles that stick out, is not
planned.
"""

from dataclasses import dataclass

import networkx as nx
import numpy as np
from jaxtyping import Int

from planner.implant.needles.conflicts import Hardware, Needles, clashes
from planner.paths.ranking import ROUNDING_DECIMALS


@dataclass(frozen=True)
class InsertionOrder:
    """Needles in the order in which they are driven, or a proof that there is no order.

    Where `order` is None, `cycle` is a shortest list of needles of which each must be driven before the next,
    and the last before the first. Otherwise it is empty.
    """

    order: tuple[int, ...] | None
    cycle: tuple[int, ...] = ()


def must_precede(needles: Needles, hardware: Hardware) -> Int[np.ndarray, "k 2"]:
    """Pairs (first, later), in rising order: the later needle, once in place, would stop the first."""
    return np.argwhere(clashes(needles, hardware, needles.length_mm))


def mutually_blocking_pairs(needles: Needles, hardware: Hardware) -> Int[np.ndarray, "k 2"]:
    """Pairs i < j of which neither can be driven when the other is in place, in rising order.

    The swept volume contains the final one, so that the pairs of `conflict_pairs` are among them.
    """
    stops = clashes(needles, hardware, needles.length_mm)
    return np.argwhere(np.triu(stops & stops.T))


def insertion_order(needles: Needles, hardware: Hardware) -> InsertionOrder:
    """An order in which every needle can be driven, or a shortest cycle that shows that there is none.

    Among the needles that can be driven next, the deepest comes first, then the one with the smallest
    coordinates: the order of the input never decides. Meant for the needles of one plan.
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(needles)))
    graph.add_edges_from(must_precede(needles, hardware).tolist())
    cycle = shortest_cycle(graph)
    if cycle:
        return InsertionOrder(None, cycle)
    depths, tips = (np.round(x, ROUNDING_DECIMALS) for x in (needles.length_mm, needles.tip_P))
    # Kahn's algorithm (10.1145/368996.369025), with the needles that can be next on a heap.
    order = nx.lexicographical_topological_sort(graph, key=lambda i: (-depths[i], *tips[i]))
    return InsertionOrder(tuple(order))


def shortest_cycle(graph: nx.DiGraph) -> tuple[int, ...]:
    """A shortest cycle, from its smallest node on; () where there is no cycle."""
    cycles: list[tuple[int, ...]] = []
    for part in nx.strongly_connected_components(graph):
        inside = graph.subgraph(part)
        for last, first in inside.edges:
            way = nx.shortest_path(inside, first, last)
            start = way.index(min(way))
            cycles.append((*way[start:], *way[:start]))
    return min(cycles, key=lambda cycle: (len(cycle), cycle), default=())
