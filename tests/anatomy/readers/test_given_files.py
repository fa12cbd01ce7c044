"""Files of a plan: the content that it was made from, each under the name that is its organ's."""

import pytest

from anatomy.errors import ReadError
from anatomy.structures import InputDigest
from service.operations.input_matching import exchanged, refuse_other_files, refuse_other_roles

MADE = [InputDigest("aorta.nii.gz", "a"), InputDigest("fat.nii.gz", "f"), InputDigest("ct.nii.gz", "c")]


def test_the_same_files_in_any_order_are_taken() -> None:
    refuse_other_files(MADE, MADE[::-1])


def test_a_file_under_a_new_name_is_taken() -> None:
    """A label map or a CT means the same under any name; of a mask, its structure's role tells."""
    refuse_other_files(MADE, [*MADE[:2], InputDigest("scan.nii.gz", "c")])


def test_names_that_were_exchanged_are_refused() -> None:
    swapped = [InputDigest("aorta.nii.gz", "f"), InputDigest("fat.nii.gz", "a"), MADE[2]]
    with pytest.raises(ReadError, match=r"with this content under the name \w+.nii.gz: names were exchanged"):
        refuse_other_files(MADE, swapped)


def test_names_that_went_round_are_refused() -> None:
    turned = [
        InputDigest(one.name, other.sha256) for one, other in zip(MADE, MADE[1:] + MADE[:1], strict=True)
    ]
    with pytest.raises(ReadError, match="exchanged"):
        refuse_other_files(MADE, turned)


@pytest.mark.parametrize("given", [MADE[:2], [*MADE, InputDigest("rib.nii.gz", "r")]])
def test_files_that_lack_or_are_others_are_refused(given: list[InputDigest]) -> None:
    with pytest.raises(ReadError, match=r"not given|other content"):
        refuse_other_files(MADE, given)


EMPTY = [InputDigest("node_5.nii.gz", "0"), InputDigest("node_7.nii.gz", "0")]
"""Empty masks are all alike."""


def test_names_exchanged_with_one_of_two_files_of_one_content_are_refused() -> None:
    swapped = [InputDigest("aorta.nii.gz", "0"), EMPTY[1], InputDigest("node_5.nii.gz", "a")]
    with pytest.raises(ReadError, match="exchanged"):
        refuse_other_files([MADE[0], *EMPTY], swapped)


def test_a_file_more_of_a_content_that_is_there_is_refused() -> None:
    with pytest.raises(ReadError, match="the content of another file that is given"):
        refuse_other_files(MADE, [*MADE, InputDigest("node_7.nii.gz", "a")])


def test_two_files_of_one_content_are_told_by_neither_name() -> None:
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
