"""The other `molscore` of PyPI in the same environment is refused in one line, and nothing else is."""

import sys

import pytest

import molscore
from molscore import refuse_namesake
from molscore.cli import main
from molscore.errors import InputError


def test_the_namesake_is_refused(tmp_path, monkeypatch, capsys) -> None:
    for name in ("molscore_discoformer-0.1.0.dist-info", "molscore_tools-1.0.dist-info"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    refuse_namesake()
    (tmp_path / "molscore-1.9.5.dist-info").mkdir()
    with pytest.raises(InputError, match="pip uninstall molscore"):
        refuse_namesake()
    molscore.__dict__.pop("load", None)
    with pytest.raises(InputError, match="another project"):
        molscore.load  # noqa: B018
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.strip().count("\n") == 0
