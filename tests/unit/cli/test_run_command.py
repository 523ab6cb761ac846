"""What commands say before Docker is asked: options of mpirun, and a folder that is not there."""

from pathlib import Path

import pytest
import typer.testing

from mpigen.cli import command_line
from tests.conftest import Mpigen


def refused(*words: str) -> str:
    done = typer.testing.CliRunner().invoke(command_line("run"), ["run", *words])
    assert done.exit_code == 2
    return done.output.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-np 4 hello", "write -n 4; options of mpirun go after --: mpigen run -- -np 4 hello"),
        ("--np 4 hello", "write -n 4; options of mpirun go after --: mpigen run -- --np 4 hello"),
        ("-np", "write -n N; options of mpirun go after --: mpigen run -- -np"),
        ("-x A hello", "write -e NAME=VALUE; options of mpirun go after --: mpigen run -- -x A"),
        (
            "-n 2 --map-by node ./heat 'a b'",
            "No such option: --map-by; options of mpirun go after --: mpigen run -- --map-by node",
        ),
        ("-ppn 2 hello", "No such option: -ppn; options of mpirun go after --: mpigen run -- -ppn"),
    ],
)
def test_options_of_mpirun_go_after_the_dashes(words: str, said: str) -> None:
    assert said in refused(*words.split())


def test_other_mistakes_are_told_as_ever() -> None:
    assert refused("-n", "four", "hello").endswith("'four' is not a valid int.")
    assert "mpirun" not in refused("--grace", "x", "hello")


def test_a_folder_that_was_not_rendered_says_what_to_do(
    tmp_path: Path, mpigen: Mpigen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    away = mpigen("status")
    assert away.code == 2
    assert away.err == (
        "error: there is no output/ here\n"
        "cd to the site's folder and run mpigen render, or start a site with mpigen init.\n"
    )
    (tmp_path / "mpigen.yaml").write_text("name: x\n")
    here = "Run mpigen render, or cd to the site's folder.\n"
    for command in (("jobs",), ("run", "hello"), ("build",)):
        assert mpigen(*command).err == f"error: there is no output/ here\n{here}"
    (tmp_path / "output").mkdir()
    assert mpigen("status").err == (
        f"error: output is not a rendered folder: it has no manifest.json\n{here}"
    )
    far = tmp_path / "far/output"
    assert f"error: there is no folder {far}\n" in mpigen("status", "-o", far).err
