"""Which docker context a command uses, and how the next one is named."""

from pathlib import Path

import pytest

from mpigen.cli import where
from mpigen.errors import InputError
from tests.conftest import Mpigen

OUTPUT = Path("output")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, and none of the variables that name an engine."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", where.VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_users_file_beside_output_names_the_context(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert where.choose(None, OUTPUT) is None
    (here / ".mpigen-context").write_text("mpigen-lab\n")
    for output in (OUTPUT, here / "output"):
        assert where.choose(None, output) == "mpigen-lab"
    said = "note: docker context mpigen-lab, from .mpigen-context\n"
    assert capsys.readouterr().err.startswith(said)
    # what is said nearer to the command counts, and without a note
    assert where.choose("other", OUTPUT) == "other"
    monkeypatch.setenv("DOCKER_HOST", "unix:///x.sock")
    assert where.choose(None, OUTPUT) is None
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("text", ["", "two words", "context: mpigen-lab", "\x1b[31m", "-x"])
def test_a_file_without_a_context_is_refused(here: Path, text: str) -> None:
    (here / ".mpigen-context").write_text(text)
    with pytest.raises(InputError, match="is not a docker context") as caught:
        where.choose(None, OUTPUT)
    assert "\x1b" not in caught.value.message


def test_a_file_that_leads_out_of_the_site_is_not_read(here: Path) -> None:
    (here / "site").mkdir()
    (here / "mine").write_text("mpigen-lab\n")
    (here / "site/.mpigen-context").symlink_to("../mine")
    with pytest.raises(InputError, match="link that leads out of the site"):
        where.choose(None, Path("site/output"))


def test_the_next_command_is_for_the_same_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    assert where.again("deploy", OUTPUT) == "mpigen deploy"
    named = where.again("run", Path("my site/output"), "s", "far", "-- hostname")
    assert named == "mpigen run -o 'my site/output' --stack s --context far -- hostname"
    # the variable is still there for the next command
    monkeypatch.setenv(where.VARIABLE, "far")
    assert where.again("deploy", OUTPUT, context="far") == "mpigen deploy"


def test_the_variable_names_the_context_of_every_verb(
    here: Path, monkeypatch: pytest.MonkeyPatch, mpigen: Mpigen
) -> None:
    (here / "mpigen.yaml").write_text("name: x\n")
    assert mpigen("render").out.endswith("\nnext: mpigen build\n")
    monkeypatch.setenv(where.VARIABLE, "no-such-context")
    for words in (("status",), ("deploy",), ("build",), ("run", "--", "true"), ("jobs",)):
        done = mpigen(*words)
        assert (done.code, "no-such-context" in done.err) == (3, True), done
        assert "docker context ls" in done.err
