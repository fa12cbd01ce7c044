"""Digests: an undamaged file is hashed once, and again when its metadata say that it may have changed."""

import hashlib
import os
import pickle
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anatomy.structures import InputDigest
from service.host.damaged_file import CASE_REMEDY, DamagedFile, KeptFile, refuse_damaged, refuse_others
from service.host.digests import MIB, SETTLED_NS, Digests
from service.schemas.json.sealed import seal_of, sealed

SIZE = 3 * MIB + 17


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ct.nii"
    path.write_bytes(bytes(SIZE))
    return with_old_time(path)


def with_old_time(path: Path, by_ns: int = 10 * SETTLED_NS) -> Path:
    modified_ns = time.time_ns() - by_ns
    os.utime(path, ns=(modified_ns, modified_ns))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_second_call_hashes_nothing(file: Path) -> None:
    digests = Digests()
    for _ in range(3):
        assert digests.sha256(file) == sha256(file)
        assert digests.hashed_bytes == SIZE


def test_a_text_is_checked_once(file: Path) -> None:
    digests, checked_sizes = Digests(), []

    def is_whole(text: bytes) -> bool:
        checked_sizes.append(len(text))
        return True

    for _ in range(3):
        assert digests.text(file, is_whole, SIZE) == file.read_bytes()
    assert checked_sizes == [SIZE] and digests.hashed_bytes == SIZE
    assert digests.text(file, is_whole, SIZE - 1) is None


def test_a_damaged_file_is_hashed_once_too(file: Path) -> None:
    digests, checked_sizes = Digests(), []

    def is_whole(text: bytes) -> bool:
        checked_sizes.append(len(text))
        return False

    assert [digests.text(file, is_whole, SIZE) for _ in range(3)] == [None] * 3
    assert checked_sizes == [SIZE]


def change_in_place(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(5)
        file.write(b"x")


def replace_keeping_time(path: Path) -> None:
    status, replacement = path.stat(), path.with_suffix(".x")
    replacement.write_bytes(b"x" + path.read_bytes()[1:])
    os.utime(replacement, ns=(status.st_atime_ns, status.st_mtime_ns))
    replacement.rename(path)


def extend_keeping_time(path: Path) -> None:
    status = path.stat()
    path.write_bytes(path.read_bytes() + b"x")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", [change_in_place, replace_keeping_time, extend_keeping_time])
def test_a_changed_file_is_hashed_again(file: Path, change: Callable[[Path], None]) -> None:
    digests = Digests()
    old_digest = digests.sha256(file)
    change(file)
    assert digests.sha256(file) == sha256(file) != old_digest


def test_a_file_modified_a_moment_ago_is_hashed_each_time(file: Path) -> None:
    """A second change within one tick leaves size, mtime and inode as they are."""
    digests = Digests()
    status = file.stat()
    now_ns = time.time_ns()
    for content in (b"a", b"b"):
        with file.open("r+b") as stream:
            stream.write(content)
        os.utime(file, ns=(now_ns, now_ns))
        assert digests.sha256(file) == sha256(file)
        assert file.stat().st_ino == status.st_ino and file.stat().st_size == status.st_size


@pytest.mark.parametrize("ahead_ns", [0, 10 * SETTLED_NS, 3600 * 10**9])
def test_a_file_dated_in_the_future_is_remembered_after_the_settling_time(
    file: Path, monkeypatch: pytest.MonkeyPatch, ahead_ns: int
) -> None:
    digests, now_ns, wall_ns = Digests(), [0], time.time_ns()
    monkeypatch.setattr(time, "monotonic_ns", lambda: now_ns[0])
    os.utime(file, ns=(wall_ns + ahead_ns,) * 2)
    monkeypatch.setattr(time, "time_ns", lambda: wall_ns)
    hashed = []
    for after_ns in (0, SETTLED_NS - 1, SETTLED_NS, SETTLED_NS + 1, 10 * SETTLED_NS):
        now_ns[0] = after_ns
        assert digests.sha256(file) == sha256(file)
        hashed.append(digests.hashed_bytes // SIZE)
    assert hashed == [1, 2, 3, 3, 3]
    change_in_place(file)
    os.utime(file, ns=(wall_ns + ahead_ns + 1000,) * 2)
    assert digests.sha256(file) == sha256(file) and digests.hashed_bytes == 4 * SIZE


def test_the_number_of_remembered_files_is_bounded(tmp_path: Path) -> None:
    digests = Digests(most=2)
    files = [tmp_path / name for name in "abc"]
    for path in files:
        path.write_bytes(b"1234")
        with_old_time(path)
    for path in files:
        digests.sha256(path)
    assert digests.hashed_bytes == 4 * 3
    digests.sha256(files[1])
    assert digests.hashed_bytes == 4 * 3
    # The first was dropped; it takes the place of the least recently used one.
    digests.sha256(files[0])
    digests.sha256(files[1])
    assert digests.hashed_bytes == 4 * 4
    digests.sha256(files[2])
    assert digests.hashed_bytes == 4 * 5


def test_many_threads_agree(file: Path) -> None:
    digests, expected, start = Digests(), sha256(file), threading.Barrier(8)

    def digests_of_thread(_: int) -> set[str]:
        start.wait()
        return {digests.sha256(file) for _ in range(20)}

    with ThreadPoolExecutor(8) as pool:
        assert set.union(*pool.map(digests_of_thread, range(8))) == {expected}
    assert digests.hashed_bytes <= 8 * SIZE


def test_a_pipe_or_a_missing_file_is_damage_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "not there"):
        with pytest.raises(DamagedFile):
            refuse_damaged([KeptFile(path, "cases/x", "0" * 64)])


def test_too_many_open_files_are_not_reported_as_damage(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> int:
        raise OSError(24, os.strerror(24))

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(OSError, match=os.strerror(24)):
        refuse_damaged([KeptFile(file, "cases/x", "0" * 64)])


def test_the_digests_read_must_equal_the_digests_kept() -> None:
    kept_files = [KeptFile(Path("/d/cases/1/input/heart.nii"), "cases/1/input/heart.nii", "a" * 64)]
    refuse_others(kept_files, [InputDigest("heart.nii", "a" * 64)])
    for digest in (InputDigest("heart.nii", "b" * 64), InputDigest("aorta.nii", "a" * 64)):
        with pytest.raises(DamagedFile) as caught:
            refuse_others(kept_files, [digest])
        # The error is pickled on its way from the sandbox to the server.
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
        assert caught.value.field == f"cases/1/input/{digest.name}" and caught.value.remedy == CASE_REMEDY


# Sealed texts

TEXT = b'{\n "a": 1,\n "b": [2, 3]\n}\n'


@given(st.integers(0, 8 * len(sealed("sha", TEXT)) - 1))
def test_every_changed_bit_of_a_sealed_text_is_detected(bit: int) -> None:
    sealed_text = sealed("sha", TEXT)
    assert seal_of("sha", sealed_text) == hashlib.sha256(TEXT).hexdigest()
    damaged_text = bytearray(sealed_text)
    damaged_text[bit // 8] ^= 1 << bit % 8
    assert seal_of("sha", bytes(damaged_text)) is None


@given(st.integers(0, len(sealed("sha", TEXT)) - 1), st.binary(max_size=3))
def test_a_sealed_text_that_is_cut_or_extended_has_no_seal(length: int, extra: bytes) -> None:
    assert seal_of("sha", sealed("sha", TEXT)[:length] + extra) is None


def test_a_seal_is_read_from_its_line_only() -> None:
    digest = hashlib.sha256(TEXT).hexdigest()
    line = f'\n "sha": "{digest}",'.encode()
    sealed_text = TEXT.replace(b',\n "b"', b"," + line + b'\n "b"')
    assert seal_of("sha", sealed_text, 2) == seal_of("sha", sealed("sha", TEXT), 1) == digest
    for text, number in ((sealed_text, 1), (sealed("sha", TEXT), 2), (TEXT, 2), (sealed_text, 9), (b"", 2)):
        assert seal_of("sha", text, number) is None
    assert seal_of("other", sealed_text, 2) is None
