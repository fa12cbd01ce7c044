"""Admission: whether an owner may keep one more result."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from service.storage.quota import Quota
from service.storage.reserved_space import ReservedSpace


@dataclass(frozen=True, eq=False)
class Admission:
    """What a new result needs: space on the disk, and a part of its owner's quota."""

    quota: Quota
    reserve: ReservedSpace

    def of(self, owner: str) -> Callable[[Connection], None]:
        """What raises NoRoom or QuotaExceeded, in a transaction, if no result of `owner` may be kept."""

        def refuse_full(connection: Connection) -> None:
            # Every result takes some space.
            self.reserve.refuse_use()
            self.quota.refuse_more(connection, owner, 1)

        return refuse_full
