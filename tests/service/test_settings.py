"""Settings: read from the environment and a file, and refused if they are unsafe."""

from pathlib import Path

import pytest

from service.settings import Settings, SettingsError, from_environment


def error_of(**environment: str) -> str:
    with pytest.raises(SettingsError) as caught:
        from_environment(environment)
    return str(caught.value)


def test_by_default_only_this_machine_is_served() -> None:
    settings = from_environment({})
    assert settings.host == "127.0.0.1" and settings.keys_file is None and settings.cors_origins == ()
    assert settings.database == f"sqlite:///{settings.data_dir / 'seedpath.sqlite'}"
    assert settings.audit == settings.data_dir / "audit.jsonl"


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "seedpath.toml"
    file.write_text('workers = 3\nmax_jobs = 5\ncors_origins = ["https://a.example"]\n', encoding="utf-8")
    settings = from_environment({"SEEDPATH_SETTINGS": str(file), "SEEDPATH_WORKERS": "2", "OTHER": "x"})
    assert (settings.workers, settings.max_jobs) == (2, 5)
    assert settings.cors_origins == ("https://a.example",)
    cors_settings = from_environment({"SEEDPATH_CORS_ORIGINS": "https://a.example, http://127.0.0.1:8080"})
    assert cors_settings.cors_origins == ("https://a.example", "http://127.0.0.1:8080")


@pytest.mark.parametrize("content", ["workers", "workers = 2\nworkrs = 1", "\xff"])
def test_an_invalid_settings_file_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "seedpath.toml"
    file.write_bytes(content.encode("latin-1"))
    message = error_of(SEEDPATH_SETTINGS=str(file))
    assert str(file) in message and ("no TOML" in message or "Did you mean 'workers'" in message)


def test_a_misspelt_name_is_not_ignored() -> None:
    assert "Did you mean 'SEEDPATH_WORKERS'" in error_of(SEEDPATH_WORKRS="2")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEEDPATH_WORKERS", "two"),
        ("SEEDPATH_WORKERS", "0"),
        ("SEEDPATH_WORKERS", "65"),
        ("SEEDPATH_MAX_WAIT_S", "nan"),
        ("SEEDPATH_NICE", "-1"),
        ("SEEDPATH_PORT", "70000"),
        ("SEEDPATH_KEEP_PLANS_DAYS", "0"),
        ("SEEDPATH_MAX_BYTES_OF_CASES", "-1"),
        ("SEEDPATH_AUDIT_ROTATE_BYTES", "0"),
        ("SEEDPATH_LOG_FORMAT", "xml"),
        ("SEEDPATH_CORS_ORIGINS", "*"),
        ("SEEDPATH_CORS_ORIGINS", "https://a.example/page"),
    ],
)
def test_a_value_out_of_range_is_named(name: str, value: str) -> None:
    assert error_of(**{name: value}).startswith(f"{name}: ")


UNSAFE: dict[str, tuple[dict[str, str], str]] = {
    "others without keys": ({"SEEDPATH_HOST": "0.0.0.0"}, "without keys_file"),
    "keys in the clear": ({"SEEDPATH_HOST": "0.0.0.0", "SEEDPATH_KEYS_FILE": "k"}, "in the clear"),
    "half of TLS": ({"SEEDPATH_TLS_KEY": "k"}, "go together"),
    "workers who see another folder": (
        {"SEEDPATH_SCHEDULER": "tcp://10.0.0.1:8786", "SEEDPATH_DATABASE_URL": "postgresql://d/s"},
        "must see data_dir",
    ),
    "a scheduler that anybody may reach": (
        {
            "SEEDPATH_SCHEDULER": "tcp://10.0.0.1:8786",
            "SEEDPATH_DATA_DIR": "/srv/seedpath",
            "SEEDPATH_DATABASE_URL": "postgresql://d/s",
        },
        "may run anything",
    ),
    "a proxy without keys": ({"SEEDPATH_BEHIND_TLS_PROXY": "true"}, "behind a proxy"),
    "SQLite across machines": (
        {"SEEDPATH_SCHEDULER": "tcp://127.0.0.1:8786", "SEEDPATH_DATA_DIR": "/srv/seedpath"},
        "SQLite's one file",
    ),
}


@pytest.mark.parametrize("combination", UNSAFE)
def test_unsafe_combinations_are_refused(combination: str) -> None:
    environment, message = UNSAFE[combination]
    assert message in error_of(**environment)


@pytest.mark.parametrize("extra", [{"SEEDPATH_BEHIND_TLS_PROXY": "true"}, {"TLS": "own"}])
def test_other_machines_may_be_served_with_keys_and_tls(extra: dict[str, str]) -> None:
    tls = {"SEEDPATH_TLS_CERTIFICATE": "c", "SEEDPATH_TLS_KEY": "k"} if "TLS" in extra else extra
    environment = {"SEEDPATH_HOST": "0.0.0.0", "SEEDPATH_KEYS_FILE": "keys.json"} | tls
    assert from_environment(environment).host == "0.0.0.0"


def test_a_password_is_not_shown() -> None:
    settings = Settings(data_dir=Path("x"), database_url="postgresql://me:secret@h/d")  # type: ignore[arg-type]
    assert "secret" not in repr(settings) and "secret" in settings.database
    assert "secret" not in error_of(SEEDPATH_DATABASE_URL="postgresql://me:secret@h/d", SEEDPATH_PORT="x")
