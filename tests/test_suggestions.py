"""A command or an input that is misspelt gets the one that was meant."""

import pytest

from service import cli


@pytest.mark.parametrize(
    ("given", "meant"), [("paln", "'plan'"), ("version", "'--version'"), ("chek", "'check'")]
)
def test_a_misspelt_command(given: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([given, "x"])
    assert ended.value.code == cli.BAD_INPUT
    assert f"Did you mean {meant}" in capsys.readouterr().err


def test_a_built_in_by_its_bare_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "thorax"]) == cli.BAD_INPUT
    assert "Did you mean builtin:thorax?" in capsys.readouterr().err
