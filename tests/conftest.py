"""What every test has: shapes checked in all signatures, deterministic examples, the shared cases."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from shape_checks import install

install("anatomy", "planner", "service")

# The same examples in every run, and no clock: a slow machine must not fail a true property.
settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's root."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared(repository: Path) -> Path:
    """The folder of real cases and reference tables beside the checkout; skips where it is missing."""
    folder = repository.parent / "shared"
    if not (folder / "cases").is_dir():
        pytest.skip("no ../shared/cases beside the checkout: real cases and reference tables not tested")
    return folder


@pytest.fixture(scope="session")
def real_case(shared: Path) -> Path:
    """The segmented chest CT c3n00249."""
    return shared / "cases" / "c3n00249"
