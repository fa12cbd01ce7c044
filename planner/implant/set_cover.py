"""Cover: the cheapest needles that together cover all that can be covered, and cannot touch each other.

    minimise    sum cost[t] u[t] + UNCOVERED sum y[p]
    subject to  sum of u[t] over the tracks that cover point p, + y[p]  >= 1       for every point p
                sum of u[t] over the tracks of a rule  <=  its most                (conflicts, orders, number)
                u[t] in {0, 1}, 1 where t is given;  0 <= y[p] <= 1

A set-cover programme, solved by HiGHS (Huangfu and Hall 2018, 10.1007/s12532-017-0130-5). Conflicts are
stated as cliques of the conflict graph: all pairs are in some clique, and a clique cuts off more than its
pairs. Rules join in as sets turn up that break them, orders that cannot be driven among them; until all are
in, the programme is a relaxation, so its bound holds.
"""

from collections.abc import Callable
from dataclasses import dataclass

import networkx as nx
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix, eye_array, hstack

RELATIVE_GAP = 0.04
"""How close to its bound the programme is solved [U]."""
NODE_LIMIT = 100
"""Branches tried before the best set so far is taken, with the gap it has: a count, not a time, so that equal
requests give equal sets [U]."""
ROUNDS, FEW_ROUNDS = 40, 5
"""Rounds of adding rules that the last set broke; after a few, all rules join in."""
UNCOVERED = 4.0
"""The price of a point that is left uncovered, in costs of the dearest track: never worth paying while any
track covers it, unless a rule forbids them all."""


@dataclass(frozen=True)
class Rule:
    """At most `most` of these tracks can be in one set."""

    tracks: tuple[int, ...]
    most: int


@dataclass(frozen=True, eq=False)
class Cover:
    """Rows of the tracks chosen, and what they cost. No set that leaves as few points uncovered costs less
    than `bound`."""

    rows: Int[np.ndarray, " k"]
    objective: float
    bound: float


class NoCover(Exception):
    """No set of needles keeps the rules: those that are given break them, or rounds ran out."""


def cheapest_cover(
    cost: Float[np.ndarray, " n"],
    covers: Bool[np.ndarray, "n m"],
    rules: list[Rule],
    given: Int[np.ndarray, " g"],
    broken: Callable[[Int[np.ndarray, " k"]], list[Rule]],
) -> Cover:
    """The cheapest set that keeps the rules, with the `given` rows in it.

    `broken` names, for a set that keeps them, further rules that it breaks (an order that cannot be driven).
    Raises NoCover.
    """
    needed = np.unique(covers[:, covers.any(axis=0)], axis=1).T
    kept: list[Rule] = []
    left = list(rules)
    for number in range(ROUNDS):
        found = _solved(cost, needed, kept, given)
        new = _not_kept(left, found.rows) or broken(found.rows)
        if not new:
            return found
        # A few rounds of rules as they turn up are quicker than all at once; many are not.
        if number == FEW_ROUNDS:
            new = [*left, *(rule for rule in new if rule not in left)]
        kept.extend(new)
        left = [rule for rule in left if rule not in new]
    raise NoCover


def _not_kept(rules: list[Rule], rows: Int[np.ndarray, " k"]) -> list[Rule]:
    chosen = set(rows.tolist())
    return [rule for rule in rules if sum(track in chosen for track in rule.tracks) > rule.most]


def _solved(cost: np.ndarray, needed: np.ndarray, rules: list[Rule], given: np.ndarray) -> Cover:
    n, m = len(cost), len(needed)
    price = UNCOVERED * float(cost.max(initial=1.0))
    lower = np.zeros(n + m)
    lower[given] = 1.0
    constraints = []
    if rules:
        at = [(row, track) for row, rule in enumerate(rules) for track in rule.tracks]
        table = csr_matrix((np.ones(len(at)), np.array(at).T), shape=(len(rules), n + m))
        constraints.append(LinearConstraint(table, -np.inf, np.array([float(rule.most) for rule in rules])))
    if m:
        open_or_covered = hstack([csr_matrix(needed.astype(float)), eye_array(m)])
        constraints.append(LinearConstraint(open_or_covered, 1.0, np.inf))
    answer = milp(
        np.concatenate([cost, np.full(m, price)]),
        constraints=constraints,
        integrality=np.concatenate([np.ones(n), np.zeros(m)]),
        bounds=Bounds(lower, 1.0),
        options={"mip_rel_gap": RELATIVE_GAP, "node_limit": NODE_LIMIT},
    )
    if answer.x is None:
        raise NoCover
    rows = np.flatnonzero(answer.x[:n] > 0.5)
    objective = float(cost[rows].sum())
    left_open = price * float(answer.x[n:].sum())
    bound = float(answer.fun if answer.mip_dual_bound is None else answer.mip_dual_bound) - left_open
    return Cover(rows, objective, max(0.0, min(bound, objective)))


def conflict_rules(conflicts: nx.Graph, given: Int[np.ndarray, " g"]) -> list[Rule]:
    """Cliques that hold every pair of conflicting tracks. Of two given needles nothing is asked: they are
    where they are."""
    count = conflicts.number_of_nodes()
    linked = nx.to_numpy_array(conflicts, nodelist=range(count), dtype=bool, weight=None)
    linked[np.ix_(given, given)] = False
    left = linked.copy()
    rules: list[Rule] = []
    for first in range(count):
        while left[first, first:].any():
            second = first + int(left[first, first:].argmax())
            clique, common = [first, second], linked[first] & linked[second]
            # How many pairs that no clique holds yet each track would bring in.
            gain = left[first].astype(int) + left[second]
            while common.any():
                candidates = np.flatnonzero(common)
                clique.append(int(candidates[gain[candidates].argmax()]))
                common &= linked[clique[-1]]
                gain += left[clique[-1]]
            left[np.ix_(np.array(clique), np.array(clique))] = False
            rules.append(Rule(tuple(clique), 1))
    return rules
