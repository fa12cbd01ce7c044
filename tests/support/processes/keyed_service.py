"""A real service in this process that asks for a key, and the key of one owner, for a whole test module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.settings import Settings
from service.web.app import create_app
from service.web.middleware.keys import create
from service.web.server import serve_in_background


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keyed")


@pytest.fixture(scope="module")
def token(folder: Path) -> str:
    return create(folder / "keys.json", "ann")


@pytest.fixture(scope="module")
def base(folder: Path, token: str) -> Iterator[str]:
    settings = Settings(data_dir=folder / "data", keys_file=folder / "keys.json")
    with serve_in_background(create_app(settings)) as address:
        yield address
