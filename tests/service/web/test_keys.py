"""API keys: shown once, stored as hashes, revoked at once."""

import json
import os
import stat
from pathlib import Path

import pytest

from service.cli.main import main
from service.web.middleware.keys import Keys, KeysError, create, listed, revoke


def test_a_key_identifies_its_owner_until_it_is_revoked(tmp_path: Path) -> None:
    path = tmp_path / "new" / "keys.json"
    token, other = create(path, "radiology"), create(path, "research-1")
    keys = Keys(path)
    key = keys.bearer(token)
    assert key is not None and key.owner == "radiology"
    assert (bearer := keys.bearer(other)) is not None and bearer.owner == "research-1"
    revoke(path, key.id)
    assert keys.bearer(token) is None and keys.bearer(other) is not None
    revocation_time = listed(path)[0].revoked
    revoke(path, key.id)
    assert listed(path)[0].revoked == revocation_time


def test_a_new_key_is_accepted_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    create(path, "a")
    keys = Keys(path)
    assert keys.bearer(create(path, "b")) is not None


def test_the_file_contains_no_key_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    token = create(path, "radiology")
    text = path.read_text(encoding="utf-8")
    assert token not in text and token.rpartition("_")[2] not in text
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert create(path, "radiology") != token


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1] + "A" * (t[-1] != "A") + "B" * (t[-1] == "A"), str.upper]
)
def test_an_altered_key_is_not_accepted(tmp_path: Path, change: object) -> None:
    path = tmp_path / "keys.json"
    token = create(path, "radiology")
    keys = Keys(path)
    for bad in (change(token), "", token[:-1], f"{token}x", token.replace("seedpath", "other")):  # type: ignore[operator]
        assert keys.bearer(bad) is None


@pytest.mark.parametrize("owner", ["", "A", "a/b", "-a", "a" * 65, "a b", "é"])
def test_an_owner_name_that_is_unsafe_in_logs_is_refused(tmp_path: Path, owner: str) -> None:
    with pytest.raises(KeysError, match="not a usable name"):
        create(tmp_path / "keys.json", owner)
    assert not (tmp_path / "keys.json").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"keys": [{}]}', '{"keys": 1}'])
def test_a_damaged_file_is_reported(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(KeysError, match="not a file of keys"):
        Keys(path)
    with pytest.raises(KeysError):
        create(path, "a")
    assert path.read_text(encoding="utf-8") == content


def test_the_commands_create_list_and_revoke_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = ["--file", str(tmp_path / "keys.json")]
    assert main(["keys", "create", "--owner", "radiology", *file]) == 0
    token = capsys.readouterr().out.strip()
    key = Keys(tmp_path / "keys.json").bearer(token)
    assert key is not None
    assert main(["keys", "revoke", key.id, *file]) == 0
    assert main(["keys", "list", *file]) == 0
    output = capsys.readouterr().out
    assert key.id in output and "radiology" in output and token not in output and key.sha256 not in output
    assert main(["keys", "revoke", "nobody", *file]) == 2
    assert key.id in capsys.readouterr().err
    assert len(json.loads((tmp_path / "keys.json").read_text(encoding="utf-8"))["keys"]) == 1


def test_the_default_file_is_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDPATH_DATA_DIR", str(tmp_path))
    assert main(["keys", "create", "--owner", "a"]) == 0
    assert [key.owner for key in listed(tmp_path / "keys.json")] == ["a"]
    monkeypatch.setenv("SEEDPATH_KEYS_FILE", str(tmp_path / "other.json"))
    assert main(["keys", "create", "--owner", "b"]) == 0
    assert [key.owner for key in listed(tmp_path / "other.json")] == ["b"]
