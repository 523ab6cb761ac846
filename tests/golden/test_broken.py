"""Each broken/NN-slug.yaml is a mistake that people make; NN-slug.txt is what mpigen says of it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Mpigen, snapshot

FOLDER = Path(__file__).parent / "broken"
FILES = sorted(FOLDER.glob("*.yaml"))


def site(broken: Path, folder: Path) -> Path:
    """A site whose mpigen.yaml is the broken file."""
    (folder / "app").mkdir()
    (folder / "mpigen.yaml").write_bytes(broken.read_bytes())
    return folder


@pytest.mark.parametrize("broken", FILES, ids=lambda file: file.stem)
def test_a_broken_file_is_refused_with_its_message_and_nothing_is_written(
    broken: Path,
    golden: Callable[[Path, str], None],
    mpigen: Mpigen,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(site(broken, tmp_path))
    before = snapshot(tmp_path)
    done = mpigen("render", "-c", "mpigen.yaml", "-o", "output")
    assert done.code == 2
    assert done.out == ""
    assert snapshot(tmp_path) == before
    golden(broken.with_suffix(".txt"), done.err)


@pytest.mark.parametrize("slug", ["misspelt-key", "latin-1", "several-at-once"])
def test_the_command_of_a_user_says_the_same(slug: str, tmp_path: Path) -> None:
    (broken,) = FOLDER.glob(f"*-{slug}.yaml")
    done = subprocess.run(
        [sys.executable, "-m", "mpigen", "render"],
        cwd=site(broken, tmp_path),
        capture_output=True,
        text=True,
    )
    golden = broken.with_suffix(".txt").read_text(encoding="utf-8")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", golden)
    assert not (tmp_path / "output").exists()


def test_there_are_enough_mistakes_and_each_has_its_message() -> None:
    assert len(FILES) >= 30
    assert {file.stem for file in FOLDER.glob("*.txt")} == {file.stem for file in FILES}
