"""Due: what must be removed, from rows and sizes alone. Results first, because a result keeps its case.

By age, an owner gives up what that owner has not used for long. By size, files are removed for all their
owners, first those that nobody has used for longest.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass

from service.maintenance.retention.policy import Policy, before_s
from service.schemas.result_kinds import CASE


@dataclass(frozen=True)
class HoldingRow:
    """A row of what an owner holds; `used_s` is its last use, in seconds since 1970."""

    owner: str
    kind: str
    id: str
    case_id: str
    used_s: float


@dataclass(frozen=True)
class Due:
    """An item that an owner must give up, its last use, and the setting that requires it."""

    owner: str
    kind: str
    id: str
    last_used_s: float
    setting: str


ItemKey = tuple[str, str, str]
"""Owner, kind and id of something that is held."""

SizeOf = Callable[[str, str], int]
"""The bytes of the files of a kind and an id."""


def due(
    rows: Sequence[HoldingRow], working: Set[ItemKey], size: SizeOf, policy: Policy, now_s: float
) -> list[Due]:
    """What must be removed, in order: results, then cases. Nothing that open jobs are `working` on."""
    results = _Group([row for row in rows if row.kind != CASE], working)
    going = results.by_age("keep_plans_days", before_s(now_s, policy.keep_plans_days))
    going += results.by_size("max_bytes_of_plans", policy.max_bytes_of_plans, size)
    going_keys = {(item.owner, item.kind, item.id) for item in going}
    remaining = [row for row in rows if (row.owner, row.kind, row.id) not in going_keys]
    cases = _Group([row for row in remaining if row.kind == CASE], working, remaining)
    going += cases.by_age("keep_cases_days", before_s(now_s, policy.keep_cases_days))
    going += cases.by_size("max_bytes_of_cases", policy.max_bytes_of_cases, size)
    return going


class _Group:
    """Rows of results, or of cases with all `others` that are held; and the last use of each."""

    def __init__(
        self, rows: Iterable[HoldingRow], working: Set[ItemKey], others: Sequence[HoldingRow] = ()
    ) -> None:
        self._last_s: dict[ItemKey, float] = {}
        for row in rows:
            key = row.owner, row.kind, row.id
            self._last_s[key] = max(row.used_s, self._last_s.get(key, row.used_s))
        # Results made from a case keep it, as open jobs on it do.
        self._needed = working | {(o.owner, CASE, o.case_id) for o in others if o.kind != CASE}
        # Files that stay although no row of this group needs them.
        self._used = {(CASE, other.case_id) for other in others if other.kind != CASE}

    def by_age(self, setting: str, before_s: float | None) -> list[Due]:
        """Takes out what was last used before that time, the oldest first."""
        if before_s is None:
            return []
        old_keys = [
            key for key, last_s in self._last_s.items() if last_s < before_s and key not in self._needed
        ]
        return [self._take_out(key, setting) for key in sorted(old_keys, key=self._order)]

    def by_size(self, setting: str, most_bytes: int | None, size: SizeOf) -> list[Due]:
        """Takes out items until the rest is within the limit, as far as nothing needs them."""
        if most_bytes is None:
            return []
        holders: dict[tuple[str, str], list[ItemKey]] = defaultdict(list)
        for key in self._last_s:
            holders[key[1:]].append(key)
        sizes = {file: size(*file) for file in holders.keys() | self._used}
        total, going = sum(sizes.values()), []
        for file in sorted(holders, key=lambda file: max(self._order(key) for key in holders[file])):
            if total <= most_bytes:
                break
            if file in self._used or any(key in self._needed for key in holders[file]):
                continue
            total -= sizes[file]
            going += [self._take_out(key, setting) for key in sorted(holders[file])]
        return going

    def _order(self, key: ItemKey) -> tuple[float, ItemKey]:
        return self._last_s[key], key

    def _take_out(self, key: ItemKey, setting: str) -> Due:
        return Due(*key, self._last_s.pop(key), setting)
