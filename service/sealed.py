"""Sealed: JSON texts with a line that holds the sha256 of the same text without that line.

    {
     "schema": "seedpath.plan/2",
     "plan_sha256": "...",           this line
     ...

Every byte counts: of the rest by the hash, of the line by what it must be.
"""

import hashlib

SHA256_DIGITS = 64


def sealed(name: str, text: bytes) -> bytes:
    """A text that begins with "{", with a line for its hash as its first member."""
    assert text.startswith(b"{")
    return b"{" + _line(name, hashlib.sha256(text).hexdigest().encode()) + text[1:]


def seal_of(name: str, text: bytes) -> str | None:
    """The sha256 that a text has as its first member; None where it has none, or not that of the rest."""
    start = 1 + len(_line(name, b"")) - len(b'",')
    claimed = text[start : start + SHA256_DIGITS]
    line = _line(name, claimed)
    if len(claimed) < SHA256_DIGITS or not text.startswith(b"{" + line):
        return None
    rest = b"{" + text[1 + len(line) :]
    return claimed.decode() if hashlib.sha256(rest).hexdigest().encode() == claimed else None


def is_sealed_by(name: str, sha256: str, text: bytes, line_number: int) -> bool:
    """Whether a text has that hash in its line of that number, counted from 0, and the rest has it too."""
    head, found, rest = text.partition(_line(name, sha256.encode()))
    return (
        found != b""
        and head.count(b"\n") == line_number - 1
        and hashlib.sha256(head + rest).hexdigest() == sha256
    )


def _line(name: str, sha256: bytes) -> bytes:
    return f'\n "{name}": "'.encode() + sha256 + b'",'
