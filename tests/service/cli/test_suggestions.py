"""For a misspelt command or input the intended one is suggested."""

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anatomy.names.did_you_mean import did_you_mean
from service.cli import exit_status
from service.cli import main as cli


@pytest.mark.parametrize(
    ("typed", "intended"), [("paln", "'plan'"), ("version", "'--version'"), ("chek", "'check'")]
)
def test_a_misspelt_command(typed: str, intended: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        cli.main([typed, "x"])
    assert exit_info.value.code == exit_status.BAD_INPUT
    assert f"Did you mean {intended}" in capsys.readouterr().err


def test_a_built_in_case_named_without_its_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "thorax"]) == exit_status.BAD_INPUT
    assert "Did you mean builtin:thorax?" in capsys.readouterr().err


@given(
    name=st.text("aortAO_", max_size=60),
    known_names=st.lists(st.text("aort_", min_size=1, max_size=12), max_size=5, unique=True),
)
def test_no_close_name_is_skipped_by_its_length(name: str, known_names: list[str]) -> None:
    close_names = difflib.get_close_matches(name.lower(), known_names, 3, 0.65)
    assert did_you_mean(name, known_names).startswith("Did you mean") is (close_names != [])
