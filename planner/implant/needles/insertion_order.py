"""The order of insertion: needles are driven one after another, and those driven stay.

    in place      tip o====== shaft =======|-- hub --|
    at the start      |<- length ->| tip o====== shaft =======|-- hub --|
                                    skin

Driven along its own axis from where its tip meets the skin, a needle sweeps what it fills in the end, longer
outward by its length beneath the skin. Where that comes too near a needle in place, it is stopped: it must be
driven before that one. How it is brought to the skin, past those that stick out, is left to the hand.
"""

from dataclasses import dataclass

import networkx as nx
import numpy as np
from jaxtyping import Int

from planner.implant.needles.conflicts import Hardware, Needles, clashes
from planner.paths.ranking import ROUNDING_DECIMALS


@dataclass(frozen=True)
class InsertionOrder:
    """Needles in the order they are driven; or None, and in `cycle` as few as there are of which each must be
    driven before the next, and the last before the first. `cycle` is empty where there is an order."""

    order: tuple[int, ...] | None
    cycle: tuple[int, ...] = ()


def must_precede(needles: Needles, hardware: Hardware) -> Int[np.ndarray, "k 2"]:
    """Pairs (first, later), in rising order: the later needle, once in place, would stop the first."""
    return np.argwhere(clashes(needles, hardware, needles.length_mm))


def mutually_blocking_pairs(needles: Needles, hardware: Hardware) -> Int[np.ndarray, "k 2"]:
    """Pairs i < j of which neither can be driven once the other is in place, in rising order.

    What is swept holds what is filled in the end: `conflict_pairs` are among them.
    """
    stops = clashes(needles, hardware, needles.length_mm)
    return np.argwhere(np.triu(stops & stops.T))


def insertion_order(needles: Needles, hardware: Hardware) -> InsertionOrder:
    """An order in which every needle can be driven, or a shortest cycle that shows there is none.

    Meant for the needles of one plan. Of those free to be driven next, the deepest is, then the first by
    place: in what order needles are given never decides.
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(needles)))
    graph.add_edges_from(must_precede(needles, hardware).tolist())
    cycle = shortest_cycle(graph)
    if cycle:
        return InsertionOrder(None, cycle)
    depths, tips = (np.round(x, ROUNDING_DECIMALS) for x in (needles.length_mm, needles.tip_P))
    # Kahn's algorithm (10.1145/368996.369025), the free needles on a heap.
    order = nx.lexicographical_topological_sort(graph, key=lambda i: (-depths[i], *tips[i]))
    return InsertionOrder(tuple(order))


def shortest_cycle(graph: nx.DiGraph) -> tuple[int, ...]:
    """As few nodes as there are on a cycle, from the least of them along it; () where there is no cycle."""
    found: list[tuple[int, ...]] = []
    for part in nx.strongly_connected_components(graph):
        inside = graph.subgraph(part)
        for last, first in inside.edges:
            way = nx.shortest_path(inside, first, last)
            start = way.index(min(way))
            found.append((*way[start:], *way[:start]))
    return min(found, key=lambda cycle: (len(cycle), cycle), default=())
