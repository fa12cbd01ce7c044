"""Sealed: JSON texts with a line that states the sha256 of the same text without that line.

    {
     "schema": "seedpath.plan/3",
     "plan_sha256": "...",           this line
     ...

Every byte is covered: the rest by the hash, the line by its fixed form.
"""

import hashlib

SHA256_DIGITS = 64


def sealed(name: str, text: bytes) -> bytes:
    """A text that begins with "{", with a line for its hash as its first member."""
    assert text.startswith(b"{")
    return b"{" + _line(name, hashlib.sha256(text).hexdigest().encode()) + text[1:]


def seal_of(name: str, text: bytes, line_number: int = 1) -> str | None:
    """The sha256 in the line with that number, counted from 0; None if there is none, or if it is not that of
    the rest."""
    at = 0
    for _ in range(line_number):
        at = text.find(b"\n", at + 1)
        if at < 0:
            return None
    start = at + len(_line(name, b"")) - len(b'",')
    claimed = text[start : start + SHA256_DIGITS]
    line = _line(name, claimed)
    if len(claimed) < SHA256_DIGITS or not text.startswith(line, at):
        return None
    digest = hashlib.sha256(text[:at])
    digest.update(text[at + len(line) :])
    return claimed.decode() if digest.hexdigest().encode() == claimed else None


def _line(name: str, sha256: bytes) -> bytes:
    return f'\n "{name}": "'.encode() + sha256 + b'",'
