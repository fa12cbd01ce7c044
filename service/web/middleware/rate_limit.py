"""RateLimiter: how much one owner may ask at a time, and have under way, so that none takes the service from
the others.

Counted in each server by itself: with several servers, an owner has the rate_limiter of each. Who comes
without a key is told apart by his address.
"""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from service.web.problem_answers import Problem, problem

MOST_ACCOUNTS = 10_000
"""Accounts that are kept: whoever comes from more addresses than these gets around any count of them [U]."""

SITE_BITS = 64
"""Of an IPv6 address: one site has all that begin with these (RFC 6177)."""


@dataclass
class _Account:
    tokens: float
    seen_s: float
    at_once: int = 0
    held_bytes: int = 0


class RateLimiter:
    """A bucket of requests for each owner, filled at a steady rate, and a count of those under way and of the
    bytes that they hold in memory."""

    def __init__(
        self,
        per_s: float,
        burst: int,
        at_once: int,
        most_bytes: int,
        clock_s: Callable[[], float] = time.monotonic,
        most_accounts: int = MOST_ACCOUNTS,
    ) -> None:
        self._per_s, self._burst, self._at_once, self._most_bytes = per_s, burst, at_once, most_bytes
        self._clock_s, self._most_accounts = clock_s, most_accounts
        # Seen last is last.
        self._accounts: OrderedDict[str, _Account] = OrderedDict()

    def take(self, owner: str) -> float | None:
        """Begin a request. None where it may begin, else when to come back. [s]"""
        account = self._filled(owner)
        if account.tokens >= 1.0 and account.at_once >= self._at_once:
            return 1.0
        wait_s = self._spend(account)
        if wait_s is None:
            account.at_once += 1
        return wait_s

    def end_request(self, owner: str) -> None:
        """A request has ended."""
        self._accounts[owner].at_once -= 1

    def spend(self, owner: str) -> float | None:
        """Count a message of a request that is under way. None where it may be answered, else when to come
        back. [s]"""
        return self._spend(self._filled(owner))

    def hold(self, owner: str, size: int) -> bool:
        """Count bytes of a request that is under way, which are in memory until they are let go. False where
        they are too many: then they are not counted."""
        account = self._accounts[owner]
        if account.held_bytes + size > self._most_bytes:
            return False
        account.held_bytes += size
        return True

    def release(self, owner: str, size: int) -> None:
        """Bytes that were held are no longer in memory."""
        self._accounts[owner].held_bytes -= size

    def _spend(self, account: _Account) -> float | None:
        if account.tokens < 1.0:
            return (1.0 - account.tokens) / self._per_s
        account.tokens -= 1.0
        return None

    def _filled(self, owner: str) -> _Account:
        now = self._clock_s()
        account = self._accounts.get(owner)
        if account is None:
            self._make_room()
            account = self._accounts[owner] = _Account(self._burst, now)
        self._accounts.move_to_end(owner)
        account.tokens = min(self._burst, account.tokens + (now - account.seen_s) * self._per_s)
        account.seen_s = now
        return account

    def _make_room(self) -> None:
        """Forget the account that was seen longest ago, of those that have nothing under way."""
        if len(self._accounts) >= self._most_accounts:
            idle = next((name for name, account in self._accounts.items() if account.at_once == 0), None)
            if idle is not None:
                del self._accounts[idle]


def keyless_account(address: str) -> str:
    """The account of whoever comes from an address without a key: no owner has such a name."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        # A socket of this machine has no address of that kind.
        return "from ?"
    if found.version == 4:
        return f"from {found}"
    if found.ipv4_mapped is not None:
        return f"from {found.ipv4_mapped}"
    return f"from {ipaddress.ip_network((int(found), SITE_BITS), strict=False)}"


HELD_RETRY_AFTER_S = 1
"""When an owner should come back who has as much under way as he may [U]."""


@dataclass
class HeldBytes:
    """What one request that is under way holds in memory. [bytes]"""

    rate_limiter: RateLimiter
    account: str
    size: int = 0

    def hold(self, size: int) -> None:
        """Hold so many bytes more. Raises Problem where the owner's are as many as they may be."""
        if not self.rate_limiter.hold(self.account, size):
            detail = "Too much that was sent is not answered yet. Wait for the answers, then send this again."
            refused = problem("too-many-requests", detail)
            raise Problem(refused.report, {"Retry-After": str(HELD_RETRY_AFTER_S)})
        self.size += size

    def release(self, size: int) -> None:
        """Hold so many bytes less."""
        self.rate_limiter.release(self.account, size)
        self.size -= size


def too_many(wait_s: float) -> Problem:
    """What is answered where an rate_limiter is used up, for so long. [s]"""
    seconds = max(1, round(wait_s))
    detail = f"Too many requests at once. Come back in {seconds} s."
    return Problem(problem("too-many-requests", detail).report, {"Retry-After": str(seconds)})
