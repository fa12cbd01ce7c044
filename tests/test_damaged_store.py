"""A damaged record of a case is told by the file's name, and the same files make the case anew."""

from pathlib import Path
from typing import Any

import pytest

from service.problems import Problem
from service.store import Store

ID = "a" * 64

RECORD: dict[str, Any] = {"id": ID, "builtin": "thorax", "software": "x", "folder": False, "files": []}


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff", b'{"id": 1}', b"[" * 100_000, b"9" * 5000])
def test_a_damaged_record_is_named_and_made_anew(tmp_path: Path, damage: bytes) -> None:
    store = Store(tmp_path)
    with store.aside() as folder:
        store.add_case(folder, RECORD)
    (tmp_path / "cases" / ID / "case.json").write_bytes(damage)
    with pytest.raises(Problem) as refused:
        store.case(ID)
    assert refused.value.report.kind == "damaged"
    assert f"cases/{ID}/case.json" in refused.value.report.detail
    assert not store.has_case(ID)
    with store.aside() as folder:
        store.add_case(folder, RECORD)
    assert store.case(ID).record == RECORD


def test_a_case_that_is_not_there_is_not_damaged(tmp_path: Path) -> None:
    with pytest.raises(Problem) as refused:
        Store(tmp_path).case(ID)
    assert refused.value.report.kind == "not-found"
