"""Files of a plan: the same contents, each under the name of its organ."""

import pytest

from anatomy.errors import ReadError
from anatomy.structures import InputDigest
from service.operations.input_matching import exchanged, refuse_other_files, refuse_other_roles

PLAN_INPUTS = [
    InputDigest("aorta.nii.gz", "a"),
    InputDigest("fat.nii.gz", "f"),
    InputDigest("ct.nii.gz", "c"),
]


def test_the_same_files_are_accepted_in_any_order() -> None:
    refuse_other_files(PLAN_INPUTS, PLAN_INPUTS[::-1])


def test_a_file_with_a_new_name_is_accepted() -> None:
    """The name of a label map or CT does not matter; for a mask, the roles of structures are compared."""
    refuse_other_files(PLAN_INPUTS, [*PLAN_INPUTS[:2], InputDigest("scan.nii.gz", "c")])


def test_exchanged_names_are_refused() -> None:
    swapped = [InputDigest("aorta.nii.gz", "f"), InputDigest("fat.nii.gz", "a"), PLAN_INPUTS[2]]
    with pytest.raises(ReadError, match=r"with this content under the name \w+.nii.gz: names were exchanged"):
        refuse_other_files(PLAN_INPUTS, swapped)


def test_cyclically_exchanged_names_are_refused() -> None:
    exchanged_inputs = [
        InputDigest(digest.name, next_digest.sha256)
        for digest, next_digest in zip(PLAN_INPUTS, PLAN_INPUTS[1:] + PLAN_INPUTS[:1], strict=True)
    ]
    with pytest.raises(ReadError, match="exchanged"):
        refuse_other_files(PLAN_INPUTS, exchanged_inputs)


@pytest.mark.parametrize("given", [PLAN_INPUTS[:2], [*PLAN_INPUTS, InputDigest("rib.nii.gz", "r")]])
def test_missing_or_additional_files_are_refused(given: list[InputDigest]) -> None:
    with pytest.raises(ReadError, match=r"not given|other content"):
        refuse_other_files(PLAN_INPUTS, given)


EMPTY = [InputDigest("node_5.nii.gz", "0"), InputDigest("node_7.nii.gz", "0")]
"""Empty masks all have the same content."""


def test_an_exchange_with_one_of_two_equal_files_is_refused() -> None:
    swapped = [InputDigest("aorta.nii.gz", "0"), EMPTY[1], InputDigest("node_5.nii.gz", "a")]
    with pytest.raises(ReadError, match="exchanged"):
        refuse_other_files([PLAN_INPUTS[0], *EMPTY], swapped)


def test_an_additional_copy_of_a_file_is_refused() -> None:
    with pytest.raises(ReadError, match="the content of another file that is given"):
        refuse_other_files(PLAN_INPUTS, [*PLAN_INPUTS, InputDigest("node_7.nii.gz", "a")])


def test_files_of_equal_content_may_have_either_name() -> None:
    assert exchanged([("empty", "rib_left_4")], [("empty", "rib_right_4")]) is None
    refuse_other_files(EMPTY, EMPTY[::-1])


def test_structures_of_other_names_or_roles_are_refused() -> None:
    roles = {"heart": "forbidden", "node": "target"}
    refuse_other_roles(roles, dict(roles))
    for other in (
        {"muscle": "passable", "node": "target"},
        roles | {"heart": "passable"},
        {"node": "target"},
    ):
        with pytest.raises(ReadError, match="in the plan it is"):
            refuse_other_roles(roles, other)
