"""A damaged record of a case is reported with its file's name; the same upload replaces it."""

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


def add_case(store: Store) -> StoredCase:
    """Add the case as an upload does."""
    with store.aside() as folder:
        (folder / "ct").mkdir()
        (folder / "ct" / "a.nii").write_bytes(TEXT)
        return store.add_case(folder, RECORD)


def changed_record(**changes: Any) -> bytes:
    return json.dumps(RECORD | changes).encode()


RECORDS_WITH_BAD_DESCRIPTION = [
    changed_record(description=description)
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
        *(
            changed_record(files=files)
            for files in ([], [1], [{"part": "ct", "place": 5, "sha256": "b" * 64}], {})
        ),
        changed_record(mesh_axes="xyz"),
        changed_record(mesh_axes="ras"),
        changed_record(builtin=5),
        changed_record(builtin=None),
        changed_record(software="another"),
        changed_record(more=1),
        *RECORDS_WITH_BAD_DESCRIPTION,
    ],
)
def test_a_damaged_record_is_named_and_replaced(tmp_path: Path, damage: bytes) -> None:
    store = Store(tmp_path)
    with store.aside() as folder:
        store.add_case(folder, RECORD)
    (tmp_path / "cases" / ID / "case.json").write_bytes(damage)
    with pytest.raises(DamagedInStore) as caught:
        store.case(ID)
    assert f"cases/{ID}/case.json" in str(caught.value)
    assert not store.is_whole(ID)
    with store.aside() as folder:
        store.add_case(folder, RECORD)
    assert store.case(ID).record == RECORD


def test_a_new_case_is_not_reported_as_damaged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    add_case(Store(tmp_path))
    add_case(Store(tmp_path))
    assert caplog.records == []


def test_a_record_without_its_sha256_is_read_and_replaced(tmp_path: Path) -> None:
    """As an earlier version wrote it: nothing proves that its description is that of the case."""
    store = Store(tmp_path)
    assert add_case(store).is_sealed
    changed_description = DESCRIPTION | {"notes": ["another"]}
    (tmp_path / "cases" / ID / "case.json").write_bytes(changed_record(description=changed_description))
    stored = store.case(ID)
    assert stored.record["description"] == changed_description and not stored.is_sealed
    assert unsealed(store) == 1 and not store.is_whole(ID)
    inode = (tmp_path / "cases" / ID).stat().st_ino
    assert add_case(store).is_sealed
    assert store.case(ID).record == RECORD and unsealed(store) == 0
    # Other processes may be reading its files: the folder stays.
    assert (tmp_path / "cases" / ID).stat().st_ino == inode


def test_a_damaged_case_is_removed_after_its_replacement_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    add_case(store)
    (tmp_path / "cases" / ID / "case.json").write_bytes(b"{}")
    whole_at_removal: list[bool] = []
    monkeypatch.setattr(
        "service.storage.file_store.remove", lambda path: whole_at_removal.append(store.is_whole(ID))
    )
    add_case(store)
    assert whole_at_removal == [True]


def test_an_id_that_cannot_be_a_case_is_not_reported_as_damaged(tmp_path: Path) -> None:
    with pytest.raises(NotHeld):
        Store(tmp_path).case("x")


def test_a_record_without_input_is_damaged_whatever_its_id() -> None:
    content = CONTENT | {"builtin": None}
    case_id = identify(content)
    assert read_record(json.dumps({"id": case_id} | content).encode(), case_id) is None
    content |= {"folder": True}
    case_id = identify(content)
    assert read_record(json.dumps({"id": case_id} | content).encode(), case_id) is not None


DAMAGED = DamagedInStore(f"cases/{ID}/case.json", "it is missing", "POST it again.")


@pytest.mark.parametrize(("error", "raised"), [(DAMAGED, DamagedInStore), (NotHeld(CASE), NoSuchCase)])
def test_a_damaged_case_is_not_reported_as_missing(error: StorageError, raised: type[StorageError]) -> None:
    class RaisingLibrary(Library):
        def __init__(self) -> None:
            """No state."""

        def case(self, owner: str, case_id: str) -> StoredCase:
            raise error

    plan = planned(PlanRequest().to_request())
    with pytest.raises(raised):
        case_of_plan(RaisingLibrary(), "ann", plan, "p", ID)


def test_a_case_without_a_description_raises(tmp_path: Path) -> None:
    """Cases of a study have none; those of the service have one."""
    store = Store(tmp_path)
    with store.aside() as folder:
        stored_case = store.add_case(folder, {"id": ID} | CONTENT)
    with pytest.raises(DamagedInStore):
        _ = stored_case.description
