"""Set cover: the cheapest needles that together cover all points that can be covered, without conflicts.

    minimise    sum cost[t] u[t] + UNCOVERED sum y[p]
    subject to  sum of u[t] over the tracks that cover point p, + y[p]  >= 1       for every point p
                sum of u[t] over the tracks of a rule  <=  its maximum             (conflicts, orders, number)
                u[t] in {0, 1}, 1 where t is given;  0 <= y[p] <= 1

A set-cover programme, solved by HiGHS (Huangfu and Hall 2018, 10.1007/s12532-017-0130-5). Conflicts are
stated as cliques of the conflict graph: every pair is in some clique, and a clique excludes more fractional
solutions than its pairs do. A rule is added when a solution breaks it, also a rule against an order that
cannot be driven. Without some of the rules the programme is a relaxation, so that its bound is valid.
"""

from collections.abc import Callable
from dataclasses import dataclass

import networkx as nx
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix, eye_array, hstack

RELATIVE_GAP = 0.04
"""Relative gap to the bound at which the solver may stop [U]."""
NODE_LIMIT = 100
"""Number of branch-and-bound nodes after which the best set so far is taken, with the gap it has. A count and
not a time limit, so that equal requests give equal sets [U]."""
ROUNDS, FEW_ROUNDS = 40, 5
"""Rounds of adding the rules that the last set broke. After FEW_ROUNDS, all rules are added."""
UNCOVERED = 4.0
"""Cost of an uncovered point, as a multiple of the cost of the most expensive track. No solution leaves a
point uncovered if a track that covers it is allowed."""


@dataclass(frozen=True)
class Rule:
    """At most `most` of these tracks may be in one set."""

    tracks: tuple[int, ...]
    most: int


@dataclass(frozen=True, eq=False)
class Cover:
    """Rows of the chosen tracks, and their cost. No set that leaves as few points uncovered costs less than
    `bound`."""

    rows: Int[np.ndarray, " k"]
    objective: float
    bound: float


class NoCover(Exception):
    """No set of needles keeps the rules: the given needles break them, or the rounds are used up."""


def cheapest_cover(
    cost: Float[np.ndarray, " n"],
    covers: Bool[np.ndarray, "n m"],
    rules: list[Rule],
    given_rows: Int[np.ndarray, " g"],
    broken: Callable[[Int[np.ndarray, " k"]], list[Rule]],
) -> Cover:
    """The cheapest set that keeps the rules and contains `given_rows`.

    `broken` returns further rules that such a set breaks, as for an order that cannot be driven. Raises
    NoCover.
    """
    needed = np.unique(covers[:, covers.any(axis=0)], axis=1).T
    active: list[Rule] = []
    waiting = list(rules)
    for number in range(ROUNDS):
        cover = _solved(cost, needed, active, given_rows)
        violated = _broken_by(cover.rows, waiting) or broken(cover.rows)
        if not violated:
            return cover
        # A few rounds with only the broken rules are faster than all rules at once; many rounds are not.
        if number == FEW_ROUNDS:
            violated = [*waiting, *(rule for rule in violated if rule not in waiting)]
        active.extend(violated)
        waiting = [rule for rule in waiting if rule not in violated]
    raise NoCover


def _broken_by(rows: Int[np.ndarray, " k"], rules: list[Rule]) -> list[Rule]:
    chosen = set(rows.tolist())
    return [rule for rule in rules if sum(track in chosen for track in rule.tracks) > rule.most]


def _solved(cost: np.ndarray, needed: np.ndarray, rules: list[Rule], given_rows: np.ndarray) -> Cover:
    n, m = len(cost), len(needed)
    price = UNCOVERED * float(cost.max(initial=1.0))
    lower = np.zeros(n + m)
    lower[given_rows] = 1.0
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


def conflict_rules(conflicts: nx.Graph, given_rows: Int[np.ndarray, " g"]) -> list[Rule]:
    """Cliques that contain every pair of conflicting tracks. Two given needles need not keep any rule: they
    are in place already."""
    count = conflicts.number_of_nodes()
    linked = nx.to_numpy_array(conflicts, nodelist=range(count), dtype=bool, weight=None)
    linked[np.ix_(given_rows, given_rows)] = False
    uncovered = linked.copy()
    rules: list[Rule] = []
    for first in range(count):
        while uncovered[first, first:].any():
            second = first + int(uncovered[first, first:].argmax())
            clique, common = [first, second], linked[first] & linked[second]
            # The number of pairs that are in no clique yet and that each track would add.
            gain = uncovered[first].astype(int) + uncovered[second]
            while common.any():
                candidates = np.flatnonzero(common)
                clique.append(int(candidates[gain[candidates].argmax()]))
                common &= linked[clique[-1]]
                gain += uncovered[clique[-1]]
            uncovered[np.ix_(np.array(clique), np.array(clique))] = False
            rules.append(Rule(tuple(clique), 1))
    return rules
