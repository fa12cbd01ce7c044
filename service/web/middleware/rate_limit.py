"""Rate limiter: how much one owner may request at a time, and have under way, so that no owner uses up the
service.

Counted in each server separately: with several servers, an owner has the limits of each. Callers without a
key are identified by their address.
"""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from service.web.problem_answers import Problem, problem

MOST_ACCOUNTS = 10_000
"""Accounts that are stored: a caller with more addresses than these evades any count of them [U]."""

SITE_BITS = 64
"""Bits of an IPv6 address that identify one site (RFC 6177)."""


@dataclass
class _Account:
    tokens: float
    seen_s: float
    at_once: int = 0
    held_bytes: int = 0


class RateLimiter:
    """A token bucket of requests for each owner, filled at a constant rate, and a count of requests under way
    and of the bytes that they keep in memory."""

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
        # The last used account is last.
        self._accounts: OrderedDict[str, _Account] = OrderedDict()

    def take(self, owner: str) -> float | None:
        """Begin a request. None if it may begin, else the time to wait. [s]"""
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
        """Count a message of a request that is under way. None if it may be answered, else the time to wait.
        [s]"""
        return self._spend(self._filled(owner))

    def hold(self, owner: str, size: int) -> bool:
        """Count bytes of a request that is under way, which are in memory until they are released. False if
        they are too many: then they are not counted."""
        account = self._accounts[owner]
        if account.held_bytes + size > self._most_bytes:
            return False
        account.held_bytes += size
        return True

    def release(self, owner: str, size: int) -> None:
        """Held bytes are no longer in memory."""
        self._accounts[owner].held_bytes -= size

    def _spend(self, account: _Account) -> float | None:
        if account.tokens < 1.0:
            return (1.0 - account.tokens) / self._per_s
        account.tokens -= 1.0
        return None

    def _filled(self, owner: str) -> _Account:
        now_s = self._clock_s()
        account = self._accounts.get(owner)
        if account is None:
            self._make_room()
            account = self._accounts[owner] = _Account(self._burst, now_s)
        self._accounts.move_to_end(owner)
        account.tokens = min(self._burst, account.tokens + (now_s - account.seen_s) * self._per_s)
        account.seen_s = now_s
        return account

    def _make_room(self) -> None:
        """Delete the account that was used longest ago, of those that have nothing under way."""
        if len(self._accounts) >= self._most_accounts:
            idle = next((name for name, account in self._accounts.items() if account.at_once == 0), None)
            if idle is not None:
                del self._accounts[idle]


def keyless_account(address: str) -> str:
    """The account of callers from an address without a key: no owner has such a name."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        # A Unix socket has no such address.
        return "from ?"
    if ip.version == 4:
        return f"from {ip}"
    if ip.ipv4_mapped is not None:
        return f"from {ip.ipv4_mapped}"
    return f"from {ipaddress.ip_network((int(ip), SITE_BITS), strict=False)}"


HELD_RETRY_AFTER_S = 1
"""When an owner with too much under way should try again [U]."""


@dataclass
class HeldBytes:
    """The bytes that one request under way keeps in memory. [bytes]"""

    rate_limiter: RateLimiter
    account: str
    size: int = 0

    def hold(self, size: int) -> None:
        """Keep `size` bytes more. Raises Problem if the owner's bytes are too many."""
        if not self.rate_limiter.hold(self.account, size):
            detail = "Too much that was sent is not answered yet. Wait for the answers, then send this again."
            refused = problem("too-many-requests", detail)
            raise Problem(refused.report, {"Retry-After": str(HELD_RETRY_AFTER_S)})
        self.size += size

    def release(self, size: int) -> None:
        """Keep `size` bytes less."""
        self.rate_limiter.release(self.account, size)
        self.size -= size


def too_many(wait_s: float) -> Problem:
    """The answer if a rate limit is used up, for `wait_s`. [s]"""
    seconds = max(1, round(wait_s))
    detail = f"Too many requests at once. Come back in {seconds} s."
    return Problem(problem("too-many-requests", detail).report, {"Retry-After": str(seconds)})
