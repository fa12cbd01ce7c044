"""Policy: how long, and how much of it, things are kept; None is for ever, and without a bound."""

from dataclasses import asdict, dataclass

from service.logs.rotation import DAY_S
from service.settings import Settings


@dataclass(frozen=True)
class Policy:
    """What the settings of these names say; ages in days."""

    keep_cases_days: float | None = None
    keep_plans_days: float | None = None
    keep_jobs_days: float | None = None
    keep_audit_days: float | None = None
    max_bytes_of_cases: int | None = None
    max_bytes_of_plans: int | None = None
    max_bytes_of_audit: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it asks for nothing."""
        return not any(value is not None for value in asdict(self).values())


def policy_of(settings: Settings) -> Policy:
    """The policy that settings ask for."""
    return Policy(**{name: getattr(settings, name) for name in asdict(Policy())})


def before_s(now_s: float, days: float | None) -> float | None:
    """What was used before that time, in seconds since 1970, is older than so many days; None for nothing."""
    return None if days is None else now_s - days * DAY_S
