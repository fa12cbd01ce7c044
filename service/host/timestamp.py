"""Timestamps as answers state them (RFC 3339)."""

from datetime import UTC, datetime


def rfc3339(time_s: float) -> str:
    """Seconds since 1970 as a date and time, UTC."""
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
