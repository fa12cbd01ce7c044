"""Policy: how long, and up to which total size, things are kept; None means no limit."""

from dataclasses import asdict, dataclass

from service.logs.rotation import DAY_S
from service.settings import Settings


@dataclass(frozen=True)
class Policy:
    """The values of the settings of these names; ages in days."""

    keep_cases_days: float | None = None
    keep_plans_days: float | None = None
    keep_jobs_days: float | None = None
    keep_audit_days: float | None = None
    max_bytes_of_cases: int | None = None
    max_bytes_of_plans: int | None = None
    max_bytes_of_audit: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is limited."""
        return not any(value is not None for value in asdict(self).values())


def policy_of(settings: Settings) -> Policy:
    """The policy that settings ask for."""
    return Policy(**{name: getattr(settings, name) for name in asdict(Policy())})


def before_s(now_s: float, days: float | None) -> float | None:
    """The time in seconds since 1970 before which an item is older than so many days; None for no limit."""
    return None if days is None else now_s - days * DAY_S
