"""Digests: what is whole is hashed once, and again where anything says that it may have changed."""

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
    return aged(path)


def aged(path: Path, by_ns: int = 10 * SETTLED_NS) -> Path:
    then = time.time_ns() - by_ns
    os.utime(path, ns=(then, then))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_second_look_hashes_nothing(file: Path) -> None:
    digests = Digests()
    for _ in range(3):
        assert digests.sha256(file) == sha256(file)
        assert digests.hashed_bytes == SIZE


def test_a_text_is_judged_once(file: Path) -> None:
    digests, judged = Digests(), []

    def is_whole(text: bytes) -> bool:
        judged.append(len(text))
        return True

    for _ in range(3):
        assert digests.text(file, is_whole, SIZE) == file.read_bytes()
    assert judged == [SIZE] and digests.hashed_bytes == SIZE
    assert digests.text(file, is_whole, SIZE - 1) is None


def test_what_is_damaged_is_hashed_once_too(file: Path) -> None:
    digests, judged = Digests(), []

    def is_whole(text: bytes) -> bool:
        judged.append(len(text))
        return False

    assert [digests.text(file, is_whole, SIZE) for _ in range(3)] == [None] * 3
    assert judged == [SIZE]


def in_place(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(5)
        file.write(b"x")


def replaced_with_its_time(path: Path) -> None:
    was, other = path.stat(), path.with_suffix(".x")
    other.write_bytes(b"x" + path.read_bytes()[1:])
    os.utime(other, ns=(was.st_atime_ns, was.st_mtime_ns))
    other.rename(path)


def longer_with_its_time(path: Path) -> None:
    was = path.stat()
    path.write_bytes(path.read_bytes() + b"x")
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


@pytest.mark.parametrize("change", [in_place, replaced_with_its_time, longer_with_its_time])
def test_what_has_changed_is_hashed_again(file: Path, change: Callable[[Path], None]) -> None:
    digests = Digests()
    before = digests.sha256(file)
    change(file)
    assert digests.sha256(file) == sha256(file) != before


def test_a_file_whose_time_is_not_settled_is_hashed_each_time(file: Path) -> None:
    """A second change within one tick leaves size, mtime and inode as they are."""
    digests = Digests()
    was = file.stat()
    now_ns = time.time_ns()
    for content in (b"a", b"b"):
        with file.open("r+b") as opened:
            opened.write(content)
        os.utime(file, ns=(now_ns, now_ns))
        assert digests.sha256(file) == sha256(file)
        assert file.stat().st_ino == was.st_ino and file.stat().st_size == was.st_size


@pytest.mark.parametrize("ahead_ns", [0, 10 * SETTLED_NS, 3600 * 10**9])
def test_a_file_of_a_clock_that_is_ahead_is_remembered_once_it_was_seen_for_a_while(
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
    in_place(file)
    os.utime(file, ns=(wall_ns + ahead_ns + 1000,) * 2)
    assert digests.sha256(file) == sha256(file) and digests.hashed_bytes == 4 * SIZE


def test_few_files_are_remembered(tmp_path: Path) -> None:
    digests = Digests(most=2)
    files = [tmp_path / name for name in "abc"]
    for path in files:
        path.write_bytes(b"1234")
        aged(path)
    for path in files:
        digests.sha256(path)
    assert digests.hashed_bytes == 4 * 3
    digests.sha256(files[1])
    assert digests.hashed_bytes == 4 * 3
    # The first has gone, and takes the place of what was looked at longest ago.
    digests.sha256(files[0])
    digests.sha256(files[1])
    assert digests.hashed_bytes == 4 * 4
    digests.sha256(files[2])
    assert digests.hashed_bytes == 4 * 5


def test_many_threads_agree(file: Path) -> None:
    digests, expected, start = Digests(), sha256(file), threading.Barrier(8)

    def look(_: int) -> set[str]:
        start.wait()
        return {digests.sha256(file) for _ in range(20)}

    with ThreadPoolExecutor(8) as pool:
        assert set.union(*pool.map(look, range(8))) == {expected}
    assert digests.hashed_bytes <= 8 * SIZE


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for kept in (tmp_path / "pipe", tmp_path, tmp_path / "not there"):
        with pytest.raises(DamagedFile):
            refuse_damaged([KeptFile(kept, "cases/x", "0" * 64)])


def test_want_of_descriptors_is_no_damage(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> int:
        raise OSError(24, os.strerror(24))

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(OSError, match=os.strerror(24)):
        refuse_damaged([KeptFile(file, "cases/x", "0" * 64)])


def test_what_was_read_must_be_what_is_kept() -> None:
    kept = [KeptFile(Path("/d/cases/1/input/heart.nii"), "cases/1/input/heart.nii", "a" * 64)]
    refuse_others(kept, [InputDigest("heart.nii", "a" * 64)])
    for read in (InputDigest("heart.nii", "b" * 64), InputDigest("aorta.nii", "a" * 64)):
        with pytest.raises(DamagedFile) as refused:
            refuse_others(kept, [read])
        # From the sandbox that opens the case it comes to the server.
        assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)
        assert refused.value.field == f"cases/1/input/{read.name}" and refused.value.remedy == CASE_REMEDY


# Sealed texts

TEXT = b'{\n "a": 1,\n "b": [2, 3]\n}\n'


@given(st.integers(0, 8 * len(sealed("sha", TEXT)) - 1))
def test_every_bit_of_a_sealed_text_counts(bit: int) -> None:
    whole = sealed("sha", TEXT)
    assert seal_of("sha", whole) == hashlib.sha256(TEXT).hexdigest()
    damaged = bytearray(whole)
    damaged[bit // 8] ^= 1 << bit % 8
    assert seal_of("sha", bytes(damaged)) is None


@given(st.integers(0, len(sealed("sha", TEXT)) - 1), st.binary(max_size=3))
def test_a_sealed_text_that_is_cut_or_goes_on_is_none(length: int, more: bytes) -> None:
    assert seal_of("sha", sealed("sha", TEXT)[:length] + more) is None


def test_a_seal_stands_in_its_line() -> None:
    digest = hashlib.sha256(TEXT).hexdigest()
    line = f'\n "sha": "{digest}",'.encode()
    second = TEXT.replace(b',\n "b"', b"," + line + b'\n "b"')
    assert seal_of("sha", second, 2) == seal_of("sha", sealed("sha", TEXT), 1) == digest
    for text, number in ((second, 1), (sealed("sha", TEXT), 2), (TEXT, 2), (second, 9), (b"", 2)):
        assert seal_of("sha", text, number) is None
    assert seal_of("other", second, 2) is None
