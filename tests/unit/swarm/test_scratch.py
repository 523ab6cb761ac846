"""Temporary folders: whose are kept, and whose go."""

import subprocess
import sys
from pathlib import Path

import pytest

from mpigen.swarm import scratch


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_a_folder_is_its_users_alone_and_goes_with_the_block(place: Path) -> None:
    with scratch.folder("test") as folder:
        assert folder.parent == place
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").write_text("content", "utf-8")
    assert list(place.iterdir()) == []


def test_a_folder_of_a_process_that_was_killed_goes_with_the_next_one(place: Path) -> None:
    program = "import time; from mpigen.swarm import scratch;"
    program += "print(scratch.make('test'), flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as other:
        assert other.stdout
        left = Path(other.stdout.readline().decode().strip())
        with scratch.folder("other"):
            assert left.is_dir()
        other.kill()
    assert left.is_dir()
    with scratch.folder("other") as mine:
        assert list(place.iterdir()) == [mine]


def test_folders_of_others_are_not_touched(place: Path) -> None:
    (place / "mpigen-theirs").mkdir()
    (place / "mpigen-theirs/file").touch()
    with scratch.folder("test"):
        pass
    assert (place / "mpigen-theirs/file").exists()


def test_an_ended_process_leaves_none(place: Path) -> None:
    program = "from mpigen.swarm import scratch; scratch.make('test'); raise SystemExit(3)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 3
    assert list(place.iterdir()) == []
