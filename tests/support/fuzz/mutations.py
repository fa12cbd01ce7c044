"""Damage: bytes changed as bad disks, bad writers and bad people change them.

Every function takes the random numbers it uses, so that one seed is one input.
"""

import gzip
import json
import random
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

Mutate = Callable[[bytes], bytes]

CHANGES = (1, 1, 2, 4)
"""How many changes an input has: one finds a missing check, several find checks that lean on each other."""

MOST_INSERTED = 64

ASCII_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")

ASCII_BOUNDARIES = (
    *(b"", b"-", b"0", b"-0", b"1", b"-1", b"2", b"007", b"0.5", b"1e3", b"1e-320", b"1e309", b"-1e309"),
    *(b"nan", b"inf", b"-inf", b"0x10", b"1_000", b"1,5", "\u0663".encode(), "\u00b2".encode()),
    *(str(2**bits + more).encode() for bits in (7, 8, 15, 16, 31, 32, 53, 63, 64) for more in (-1, 0, 1)),
    *(b"9" * 5000, b"-" + b"9" * 5000, b"0." + b"0" * 500 + b"1", b"1e" + b"9" * 400),
)
"""Numbers at the ends of what a type holds, and what only some parsers call a number. Python reads no whole
number of more than 4,300 digits."""

BINARY_BOUNDARIES = (
    *(struct.pack("<b", n) for n in (0, 1, -1, 127, -128)),
    *(struct.pack("<h", n) for n in (0, 1, -1, 2**15 - 1, -(2**15))),
    *(struct.pack("<i", n) for n in (0, 1, -1, 2**16, 2**31 - 1, -(2**31))),
    *(struct.pack("<q", n) for n in (0, 1, -1, 2**32, 2**63 - 1, -(2**63))),
    *(
        struct.pack(form, n)
        for form in ("<f", "<d")
        for n in (0.0, -0.0, 1.0, -1.0, 0.5, 1e-30, 1e30, -1e30, float("nan"), float("inf"), float("-inf"))
    ),
)

JSON_BOUNDARIES: tuple[Any, ...] = (
    *(None, True, False, 0, -0.0, 1, -1, 0.5, 1e-320, 1e308, -1e308, 2**31, 2**63, -(2**63) - 1, 10**25),
    *("", " ", "0", "x", "\0", "\ud800", "\u202e", "a/b~c", "x" * 5000, "2024-02-30", "nan"),
    *([], {}, [[]], [None], {"": None}, [0, 0, 0], [1e308, 1e308, 1e308], list(range(3000))),
)
"""Values of every type, at the ends of what it holds."""


def mutated(content: bytes, rng: random.Random, tokens: Sequence[bytes] = ()) -> bytes:
    """`content` with one to a few changes. `tokens` are the format's own words."""
    for _ in range(rng.choice(CHANGES)):
        content = rng.choice(_CHANGES)(content, rng, tokens)
    return content


def in_gzip(content: bytes, mutate: Mutate) -> bytes:
    """What `mutate` makes of the unpacked content, packed again: its check sum holds."""
    return gzip.compress(mutate(gzip.decompress(content)), compresslevel=1, mtime=0)


def in_gzip_after_header(content: bytes, mutate: Mutate) -> bytes:
    """As `in_gzip` for NRRD: a header in the clear, an empty line, and packed data."""
    header, line, data = content.partition(b"\n\n")
    header, line, data = mutate(header + line + gzip.decompress(data)).partition(b"\n\n")
    return header + line + gzip.compress(data, compresslevel=1, mtime=0)


def in_json(content: bytes, mutate: Mutate) -> bytes:
    """JSON with one to a few values exchanged, left out, doubled or under another name. `mutate` serves for
    chance alone: what it makes of the text is mostly no JSON, which asks little of what reads the values."""
    rng = random.Random(mutate(content))
    document = json.loads(content)
    for _ in range(rng.choice(CHANGES)):
        _change_one_value(document, rng)
    return json.dumps(document).encode()


def is_packed(content: bytes) -> bool:
    """Whether `content` is a whole gzip file."""
    try:
        gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return False
    return bool(content)


def _change_one_value(document: Any, rng: random.Random) -> None:
    """Walk to any value but the whole document, and do something to it."""
    inside, key = document, None
    while True:
        keys = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
        if not keys:
            return
        key = rng.choice(keys)
        if not isinstance(inside[key], dict | list) or not inside[key] or rng.random() < 0.1:
            break
        inside = inside[key]
    match rng.randrange(6):
        case 0:
            del inside[key]
        case 1:
            other = rng.choice(keys)
            inside[key], inside[other] = inside[other], inside[key]
        case 2 if isinstance(inside, dict):
            inside[f"{key}x"] = inside.pop(key)
        case 2 | 3 if isinstance(inside, list):
            inside.append(deepcopy(inside[key]))
        case 4 if isinstance(inside[key], int | float):
            inside[key] = inside[key] * rng.choice((-1, 1 + 1e-12, 1.001, 1e3, 0)) + rng.choice((0, 1, -1))
        case _:
            inside[key] = deepcopy(rng.choice(JSON_BOUNDARIES))


def _place(content: bytes, rng: random.Random) -> int:
    """An offset. Headers are where damage matters most, so half the time it is near the start."""
    where = rng.random() ** rng.choice((1, 3))
    return int(where * len(content))


def _stretch(content: bytes, rng: random.Random) -> tuple[int, int]:
    start = _place(content, rng)
    length = rng.choice((1, 2, 4, 8, rng.randint(1, 64), rng.randint(1, len(content) + 1)))
    return start, min(len(content), start + length)


def _flipped(content: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    if not content:
        return content
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        damaged[min(len(content) - 1, _place(content, rng))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _cut(content: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    if rng.random() < 0.2:
        return content[_place(content, rng) :]
    return content[: rng.choice((_place(content, rng), max(0, len(content) - rng.randint(1, 16))))]


def _removed(content: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    start, end = _stretch(content, rng)
    return content[:start] + content[end:]


def _doubled(content: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    start, end = _stretch(content, rng)
    to = rng.choice((end, _place(content, rng)))
    return content[:to] + content[start:end] + content[to:]


def _inserted(content: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    at = rng.choice((_place(content, rng), len(content)))
    foreign = rng.randbytes(rng.randint(1, MOST_INSERTED))
    return content[:at] + rng.choice((foreign, bytes(len(foreign)), b" " * len(foreign))) + content[at:]


def _ascii_number(content: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    numbers = list(ASCII_NUMBER.finditer(content, _place(content, rng)))[:32]
    if not numbers:
        return content
    number = rng.choice(numbers)
    return content[: number.start()] + rng.choice(ASCII_BOUNDARIES) + content[number.end() :]


def _binary_number(content: bytes, rng: random.Random, _: Sequence[bytes]) -> bytes:
    number = rng.choice(BINARY_BOUNDARIES)
    at = _place(content, rng)
    at -= at % len(number) if rng.random() < 0.8 else 0
    return content[:at] + number + content[at + len(number) :]


def _token(content: bytes, rng: random.Random, tokens: Sequence[bytes]) -> bytes:
    if not tokens:
        return _inserted(content, rng, tokens)
    token, at = rng.choice(tokens), _place(content, rng)
    present = [known for known in tokens if known in content]
    if present and rng.random() < 0.7:
        return content.replace(rng.choice(present), token, 1)
    line = content.find(b"\n", at) + 1
    at = rng.choice((at, line))
    return content[:at] + token + content[at:]


_CHANGES = (_flipped, _cut, _removed, _doubled, _inserted, _ascii_number, _binary_number, _token)
