"""Files of a form, which arrives in pieces of any size."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.web.upload.multipart import FilePart, FormError, read_files

TYPE = "multipart/form-data; boundary=b"


def read_form(
    body: bytes, folder: Path, sizes: list[int], type: str = TYPE, most_files: int = 5
) -> list[FilePart]:
    async def pieces() -> AsyncIterator[bytes]:
        remaining = body
        for size in [*sizes, len(body)]:
            if remaining:
                yield remaining[:size]
            remaining = remaining[size:]

    return asyncio.run(read_files(type, pieces(), folder, most_files))


def part(disposition: str, content: bytes = b"") -> bytes:
    return b"--b\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n\r\n" + content + b"\r\n"


def file(name: str, content: bytes = b"") -> bytes:
    return part(f'name="file"; filename="{name}"', content)


@given(
    contents=st.lists(st.binary(max_size=40), min_size=1, max_size=4),
    sizes=st.lists(st.integers(1, 30), max_size=20),
)
@settings(max_examples=40)
def test_files_are_read_unchanged_from_pieces_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], sizes: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("form")
    form_files = [("target", (f"{n} ä.nii", content)) for n, content in enumerate(contents)]
    request = httpx.Request("POST", "http://x", files=form_files)
    parsed = read_form(request.read(), folder, sizes, request.headers["content-type"])
    assert [(f.part, f.name, f.path.read_bytes()) for f in parsed] == [
        ("target", name, content) for _, (name, content) in form_files
    ]
    assert sorted(folder.iterdir()) == sorted(f.path for f in parsed)


def test_large_files_are_written_while_they_arrive(tmp_path: Path) -> None:
    content = bytes(range(256)) * 12_000
    sizes: list[int] = []

    async def pieces() -> AsyncIterator[bytes]:
        body = file("a", content) + b"--b--\r\n"
        for offset in range(0, len(body), 100_000):
            yield body[offset : offset + 100_000]
            sizes.append(sum(f.stat().st_size for f in tmp_path.iterdir()))

    completed = asyncio.run(read_files(TYPE, pieces(), tmp_path, 1))
    assert completed[0].path.read_bytes() == content
    assert 0 < sizes[len(sizes) // 2] < len(content)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"x", "damaged"),
        (file("a", b"abc")[:-2], "middle of a part"),
        (part('name="file"', b"text") + b"--b--\r\n", "'file' is not a file"),
        (part('filename="a"', b"text") + b"--b--\r\n", "no name"),
        (b"--b\r\nX: y\r\n\r\ntext\r\n--b--\r\n", "no name"),
        (file("a") * 6 + b"--b--\r\n", "Too many files"),
    ],
)
def test_an_invalid_form_is_refused(tmp_path: Path, body: bytes, message: str) -> None:
    with pytest.raises(FormError, match=message):
        read_form(body, tmp_path, [7, 1, 1])


@pytest.mark.parametrize(
    ("type", "name"),
    [
        (f"{TYPE}; charset=latin-1", "\xe4"),
        (f"{TYPE}; charset=klingon", "\xe4"),
        (f"{TYPE}; charset=a\0b", "\xe4"),
        (TYPE, "\xe4"),
    ],
)
def test_names_are_read_by_the_charset_or_as_latin_1(tmp_path: Path, type: str, name: str) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="\xe4"\r\n\r\n\r\n--b--\r\n'
    assert [f.name for f in read_form(body, tmp_path, [], type)] == [name]


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("base64", "a.nii"),
        ("hex", "a.nii"),
        ("rot13", "a.nii"),
        ("undefined", "a.nii"),
        ("punycode", "a!"),
        # Half a surrogate pair, which cannot be encoded.
        ("unicode_escape", r"\ud800"),
        ("utf-7", "+2AA-"),
    ],
)
def test_a_charset_that_cannot_decode_a_name_is_refused(tmp_path: Path, charset: str, name: str) -> None:
    with pytest.raises(FormError, match="charset"):
        read_form(file(name, b"x") + b"--b--\r\n", tmp_path, [], f"{TYPE}; charset={charset}")


def test_a_boundary_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormError, match="damaged"):
        read_form(b"x", tmp_path, [], f"multipart/form-data; boundary={'b' * 257}")


def test_a_type_without_a_boundary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormError, match="boundary"):
        read_form(b"x", tmp_path, [], "multipart/form-data")
