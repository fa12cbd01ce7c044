"""Keys: who may use the service. A bearer key is shown once, when it is created; the file stores its sha256.

A key has 256 random bits, so one hash is enough: it cannot be guessed. The file is read again whenever it
changes, so that every server refuses a revoked key at once; open connections of that key end.

    {"keys": [{"id": "5f3a9c0e", "owner": "radiology", "sha256": "...", "created": "...", "revoked": null}]}
"""

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from anatomy.errors import AnatomyError
from service.host.atomic_write import write_atomically
from service.host.timestamp import rfc3339

PREFIX = "seedpath"

OWNER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""Names of owners: plain, because they appear in logs and addresses."""

_TOKEN = re.compile(rf"{PREFIX}_([0-9a-f]{{8}})_([A-Za-z0-9_-]{{43}})")


class KeysError(AnatomyError):
    """A keys file that cannot be used, or a key that is not in it."""


@dataclass(frozen=True)
class Key:
    """A key as the file has it. `revoked` is the time of revocation, None for a valid key."""

    id: str
    owner: str
    sha256: str
    created: str
    revoked: str | None


def create(path: Path, owner: str) -> str:
    """Add a key for `owner`; returns the token, which cannot be shown again.

    Raises KeysError for an invalid name, or a damaged file, and OSError.
    """
    refuse_bad_owner(owner)
    # The id identifies a key in logs; only the rest is secret.
    id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    token = f"{PREFIX}_{id}_{secret}"
    with _alone(path):
        _write(path, [*listed(path), Key(id, owner, _digest(token), rfc3339(time.time()), None)])
    return token


def refuse_bad_owner(owner: str) -> None:
    """Raises KeysError for a name that an owner cannot have."""
    if not OWNER.fullmatch(owner):
        raise KeysError(
            "--owner", f"{owner!r} is not a usable name", "Use small letters, digits, '.', '_' and '-'."
        )


def revoke(path: Path, id: str) -> Key:
    """Revoke a key for good. Raises KeysError for one that is not there, or a damaged file, and OSError."""
    with _alone(path):
        keys = listed(path)
        key_before = next((key for key in keys if key.id == id), None)
        if key_before is None:
            ids = ", ".join(key.id for key in keys) or "none"
            raise KeysError("key", f"there is no {id!r}", f"Known: {ids}.")
        revoked_key = replace(key_before, revoked=key_before.revoked or rfc3339(time.time()))
        _write(path, [revoked_key if key.id == id else key for key in keys])
    return revoked_key


def listed(path: Path) -> list[Key]:
    """The keys in a file; none where there is none. Raises KeysError for a damaged file, and OSError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [Key(**entry) for entry in content["keys"]]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise KeysError(path.name, f"it is not a file of keys ({error})", "Make new keys.") from None


class Keys:
    """The keys of a running service."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[int, int] | None = None
        self._by_id: dict[str, Key] = {}
        self._refresh()

    def bearer(self, token: str) -> Key | None:
        """The key of a token, unless it is revoked or unknown. Raises KeysError and OSError."""
        self._refresh()
        match = _TOKEN.fullmatch(token)
        key = self._by_id.get(match[1]) if match else None
        if key is None or key.revoked is not None:
            return None
        return key if hmac.compare_digest(key.sha256, _digest(token)) else None

    def is_good(self, key: Key) -> bool:
        """Whether a key that was valid still is. Raises KeysError and OSError."""
        self._refresh()
        return self._by_id.get(key.id) == key

    def _refresh(self) -> None:
        state = self._path.stat()
        version = (state.st_mtime_ns, state.st_ino)
        if version != self._read:
            self._by_id = {key.id: key for key in listed(self._path)}
            self._read = version


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One change of the file at a time: two at once could undo a revocation."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, keys: list[Key]) -> None:
    whose = (path if path.exists() else path.parent).stat()
    content = json.dumps({"keys": [asdict(key) for key in keys]}, indent=1) + "\n"
    write_atomically(path, content.encode(), mode=0o600)
    if os.geteuid() == 0:
        # Made by an administrator, read by the service's own user.
        os.chown(path, whose.st_uid, whose.st_gid)
