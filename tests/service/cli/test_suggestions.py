"""A command or an input that is misspelt gets the one that was meant."""

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anatomy.names.did_you_mean import did_you_mean
from service.cli import exit_status
from service.cli import main as cli


@pytest.mark.parametrize(
    ("given", "meant"), [("paln", "'plan'"), ("version", "'--version'"), ("chek", "'check'")]
)
def test_a_misspelt_command(given: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([given, "x"])
    assert ended.value.code == exit_status.BAD_INPUT
    assert f"Did you mean {meant}" in capsys.readouterr().err


def test_a_built_in_by_its_bare_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "thorax"]) == exit_status.BAD_INPUT
    assert "Did you mean builtin:thorax?" in capsys.readouterr().err


@given(
    name=st.text("aortAO_", max_size=60),
    known=st.lists(st.text("aort_", min_size=1, max_size=12), max_size=5, unique=True),
)
def test_no_close_name_is_skipped_by_its_length(name: str, known: list[str]) -> None:
    close = difflib.get_close_matches(name.lower(), known, 3, 0.65)
    assert did_you_mean(name, known).startswith("Did you mean") is (close != [])
