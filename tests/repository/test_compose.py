"""compose.yaml, as far as it can be tried without a Docker engine."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import from_environment


@pytest.fixture(scope="module")
def composed(repository: Path) -> dict[str, Any]:
    text = (repository / "compose.yaml").read_text(encoding="utf-8")
    compose_file: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{(\w+):\?[^}]*\}", r"value-of-\1", text))
    return compose_file


def test_the_service_starts_with_these_settings(composed: dict[str, Any]) -> None:
    settings = from_environment(composed["services"]["seedpath"]["environment"])
    assert settings.scheduler == "tcp://scheduler:8786"
    assert settings.database.startswith("postgresql://seedpath:value-of-SEEDPATH_DATABASE_PASSWORD@database/")


def test_there_are_a_database_a_scheduler_and_two_workers(composed: dict[str, Any]) -> None:
    services = composed["services"]
    assert set(services) == {"database", "scheduler", "worker", "seedpath"}
    assert services["worker"]["deploy"]["replicas"] == 2
    assert "tcp://scheduler:8786" in services["worker"]["command"]
    assert services["scheduler"]["command"][-2:] == ["8786", "--no-dashboard"]
    # All who work on cases see them under one path.
    folder = from_environment(services["seedpath"]["environment"]).data_dir
    for name in ("worker", "seedpath"):
        assert f"data:{folder}" in services[name]["volumes"]


def test_only_the_service_has_a_port_and_only_on_loopback(composed: dict[str, Any]) -> None:
    services = composed["services"]
    assert [name for name in services if "ports" in services[name]] == ["seedpath"]
    assert all(port.startswith("127.0.0.1:") for port in services["seedpath"]["ports"])
    for name in ("database", "scheduler", "worker"):
        assert services[name]["networks"] == ["inside"]
    assert composed["networks"]["inside"]["internal"] is True


def test_no_secret_is_written_and_images_are_pinned(repository: Path, composed: dict[str, Any]) -> None:
    text = (repository / "compose.yaml").read_text(encoding="utf-8")
    assert re.findall(r"(?i)password: (?!\$\{)", text) == []
    assert re.fullmatch(r"postgres:\d+\.\d+-\w+", composed["services"]["database"]["image"])
    for name in ("scheduler", "worker", "seedpath"):
        assert composed["services"][name]["cap_drop"] == ["ALL"]
        assert composed["services"][name]["read_only"] is True
