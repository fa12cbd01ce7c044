"""A damaged record of a case is told by the file's name, and the same files make the case anew."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from plan_work import planned

from service.maintenance.store_check import unsealed
from service.operations.case_files import StoredFile, content_of, identify
from service.schemas.request.model import PlanRequest
from service.schemas.result_kinds import CASE
from service.storage.case_of_plan import case_of_plan
from service.storage.case_record import read_record
from service.storage.errors import DamagedInStore, NoSuchCase, NotHeld, StorageError
from service.storage.file_store import Store, StoredCase
from service.storage.library import Library

TEXT = b"a ct"
CONTENT = content_of("thorax", [StoredFile("ct", "ct/a.nii", hashlib.sha256(TEXT).hexdigest())], False)
ID = identify(CONTENT)
DESCRIPTION: dict[str, Any] = {
    "grid": {"shape": [2, 3, 4], "spacing_mm": [1.0, 1.0, 2.0]},
    "structures": [{"name": "heart", "role": "organ", "known_name": True, "volume_mm3": 3.5}],
    "targets": [],
    "notes": ["a note"],
    "inputs": [{"name": "a.nii", "sha256": "b" * 64}],
}
RECORD: dict[str, Any] = {"id": ID} | CONTENT | {"description": DESCRIPTION}


def add(store: Store) -> StoredCase:
    """As whoever uploads it."""
    with store.aside() as folder:
        (folder / "ct").mkdir()
        (folder / "ct" / "a.nii").write_bytes(TEXT)
        return store.add_case(folder, RECORD)


def altered(**changes: Any) -> bytes:
    return json.dumps(RECORD | changes).encode()


DESCRIBED_OTHERWISE = [
    altered(description=description)
    for description in (
        5,
        {},
        {k: v for k, v in DESCRIPTION.items() if k != "inputs"},
        DESCRIPTION | {"inputs": [1]},
        DESCRIPTION | {"inputs": [{"name": "a.nii"}]},
        DESCRIPTION | {"notes": "a note"},
        DESCRIPTION | {"grid": {"shape": [2, 3]}},
    )
]


@pytest.mark.parametrize(
    "damage",
    [
        *(b"", b"{", b"[]", b"\xff", b'{"id": 1}', b"[" * 100_000, b"9" * 5000, b'{"\\ud800": 1}'),
        *(altered(files=files) for files in ([], [1], [{"part": "ct", "place": 5, "sha256": "b" * 64}], {})),
        altered(mesh_axes="xyz"),
        altered(mesh_axes="ras"),
        altered(builtin=5),
        altered(builtin=None),
        altered(software="another"),
        altered(more=1),
        *DESCRIBED_OTHERWISE,
    ],
)
def test_a_damaged_record_is_named_and_made_anew(tmp_path: Path, damage: bytes) -> None:
    store = Store(tmp_path)
    with store.aside() as folder:
        store.add_case(folder, RECORD)
    (tmp_path / "cases" / ID / "case.json").write_bytes(damage)
    with pytest.raises(DamagedInStore) as refused:
        store.case(ID)
    assert f"cases/{ID}/case.json" in str(refused.value)
    assert not store.is_whole(ID)
    with store.aside() as folder:
        store.add_case(folder, RECORD)
    assert store.case(ID).record == RECORD


def test_a_case_that_was_not_there_is_not_reported_as_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add(Store(tmp_path))
    add(Store(tmp_path))
    assert caplog.records == []


def test_a_record_without_its_sha256_is_read_and_written_anew(tmp_path: Path) -> None:
    """As an earlier version wrote it: nothing says whether its description is what was read in the case."""
    store = Store(tmp_path)
    assert add(store).is_sealed
    believed = DESCRIPTION | {"notes": ["another"]}
    (tmp_path / "cases" / ID / "case.json").write_bytes(altered(description=believed))
    stored = store.case(ID)
    assert stored.record["description"] == believed and not stored.is_sealed
    assert unsealed(store) == 1 and not store.is_whole(ID)
    place = (tmp_path / "cases" / ID).stat().st_ino
    assert add(store).is_sealed
    assert store.case(ID).record == RECORD and unsealed(store) == 0
    # Others read its files meanwhile: they stay where they are.
    assert (tmp_path / "cases" / ID).stat().st_ino == place


def test_of_a_damaged_case_nothing_is_removed_before_the_good_one_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    add(store)
    (tmp_path / "cases" / ID / "case.json").write_bytes(b"{}")
    removed: list[bool] = []
    monkeypatch.setattr("service.storage.file_store.remove", lambda path: removed.append(store.is_whole(ID)))
    add(store)
    assert removed == [True]


def test_what_can_be_no_case_is_not_damaged(tmp_path: Path) -> None:
    with pytest.raises(NotHeld):
        Store(tmp_path).case("x")


def test_a_record_without_input_is_damaged_whatever_its_id() -> None:
    content = CONTENT | {"builtin": None}
    id = identify(content)
    assert read_record(json.dumps({"id": id} | content).encode(), id) is None
    content |= {"folder": True}
    id = identify(content)
    assert read_record(json.dumps({"id": id} | content).encode(), id) is not None


DAMAGED = DamagedInStore(f"cases/{ID}/case.json", "it is missing", "POST it again.")


@pytest.mark.parametrize(("error", "told"), [(DAMAGED, DamagedInStore), (NotHeld(CASE), NoSuchCase)])
def test_a_named_case_that_is_damaged_is_not_reported_as_missing(
    error: StorageError, told: type[StorageError]
) -> None:
    class Refusing(Library):
        def __init__(self) -> None:
            """Nothing is kept."""

        def case(self, owner: str, case_id: str) -> StoredCase:
            raise error

    plan = planned(PlanRequest().to_request())
    with pytest.raises(told):
        case_of_plan(Refusing(), "ann", plan, "p", ID)


def test_a_case_without_a_description_is_damaged(tmp_path: Path) -> None:
    """A study's cases have none; the service's have."""
    store = Store(tmp_path)
    with store.aside() as folder:
        stored = store.add_case(folder, {"id": ID} | CONTENT)
    with pytest.raises(DamagedInStore):
        _ = stored.description
