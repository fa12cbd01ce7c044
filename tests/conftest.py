"""What every test has: shapes checked in all signatures, deterministic examples, the shared cases."""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import compiled_once
import pytest
from checkout import ROOT
from hypothesis import HealthCheck, settings
from postgres import Postgres, programs, server
from shape_checks import install
from sqlalchemy import create_engine, text

if TYPE_CHECKING:
    from service.storage.database.connection import Database

install("anatomy", "planner", "service")

TRACED = ("anatomy", "planner")
"""Folders of tests in which coverage is measured: they alone reach the files of the gate fully."""
WAITING = ("service", "system")
"""Folders of tests that mostly wait for processes."""
READING = "repository"
"""Folder of tests that read files, and need no compiled kernel."""

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


def pytest_sessionstart(session: pytest.Session) -> None:
    # xdist starts its workers after this; a worker has a `workerinput`.
    config = session.config
    parallel = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if parallel and os.environ.get("NUMBA_DISABLE_JIT") != "1":
        compilation = ExitStack()
        compilation.enter_context(compiled_once.compiling())
        config.add_cleanup(compilation.close)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if _top(item.path) != READING:
        compiled_once.wait()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m MARKER ...`, files that do not name the marker are not even imported."""
    marker = re.match(r"(interpreted|long)\b", config.option.markexpr)
    if marker is None or not collection_path.name.startswith("test_"):
        return None
    names = {"interpreted": ("mark.interpreted",), "long": ("mark.long", "mark.representative")}[marker[1]]
    text = collection_path.read_text(encoding="utf-8")
    return None if any(name in text for name in names) else True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test marked `representative(n)`, n cases spread evenly over all stay, and the others are long."""
    cases_by_test = defaultdict[str, list[pytest.Item]](list)
    for item in items:
        if item.get_closest_marker("representative") is not None:
            cases_by_test[item.nodeid.partition("[")[0]].append(item)
    for cases in cases_by_test.values():
        case_count = cases[0].get_closest_marker("representative").args[0]
        for n, item in enumerate(cases):
            if n * case_count % len(cases) >= case_count:
                item.add_marker(pytest.mark.long)
    # Tracing costs time in every test.
    for item in items:
        if _top(item.path) not in TRACED:
            item.add_marker(pytest.mark.no_cover)
    # Files that need no kernels come first, while kernels are compiled. Then files that wait for processes
    # and files that compute take turns, so that no core is idle. Folders with the longest files come first:
    # all workers end at about the same time.
    files = list(dict.fromkeys(item.path for item in items))
    waiting = sorted(
        (f for f in files if _top(f) in WAITING), key=lambda f: {"system", "web"}.isdisjoint(f.parts)
    )
    computing = sorted((f for f in files if _top(f) in TRACED), key=lambda f: "verify" not in f.parts)
    turn = {file: n / len(group) for group in (waiting, computing) for n, file in enumerate(group)}
    items.sort(key=lambda item: turn.get(item.path, -1.0))


def _top(file: Path) -> str:
    """The folder in `tests` that a file is in."""
    return file.relative_to(ROOT / "tests").parts[0]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's root."""
    return ROOT


@pytest.fixture(scope="session")
def reference(repository: Path) -> Path:
    """The folder of reference tables: published facts, each with its source."""
    return repository / "tests" / "data" / "reference"


@pytest.fixture(scope="session")
def shared(repository: Path) -> Path:
    """The folder of real cases beside the checkout; skips where it is missing."""
    folder = repository.parent / "shared"
    if not (folder / "cases").is_dir():
        pytest.skip("no ../shared/cases beside the checkout: real cases not tested")
    return folder


@pytest.fixture(scope="session")
def real_case(shared: Path) -> Path:
    """The segmented chest CT c3n00249."""
    return shared / "cases" / "c3n00249"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL server; skips where its programs are missing."""
    bin = programs()
    if bin is None:
        pytest.skip("no PostgreSQL on this machine (Debian: postgresql): records in PostgreSQL not tested")
    with server(bin) as postgres:
        yield postgres


@pytest.fixture
def postgres(postgres_server: Postgres) -> Postgres:
    """The server with an empty database."""
    engine = create_engine(postgres_server.url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return postgres_server


@pytest.fixture
def open_database() -> Iterator["Callable[[str, float], Database]"]:
    """Opens databases by URL and patience, and closes them after the test."""
    # Not before shapes are checked, which `install` above sees to.
    from service.storage.database.connection import Database

    opened: list[Database] = []

    def open_and_remember(url: str, patience_s: float) -> "Database":
        opened.append(Database(url, patience_s))
        return opened[-1]

    yield open_and_remember
    for database in opened:
        database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'records.sqlite'}"
    return str(request.getfixturevalue("postgres").url)
