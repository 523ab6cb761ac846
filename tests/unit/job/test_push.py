"""Files for every worker, whole or not at all."""

import io
import os
import subprocess
from pathlib import Path

import pytest

from mpigen.errors import InputError
from mpigen.job import push


def test_what_is_pushed_unpacks_with_its_mode_and_whole(tmp_path: Path) -> None:
    """By the very words that each host runs."""
    program = tmp_path / "it's a $program"
    program.write_bytes(os.urandom(1000))
    program.chmod(0o755)
    (tmp_path / "data").write_bytes(b"new")
    target = tmp_path / "there is no such"
    archive = io.BytesIO()
    push.pack((program, tmp_path / "data"), archive)
    target.mkdir()
    (target / "data").write_bytes(b"old")
    held = (target / "data").open("rb")
    for _ in range(2):
        command = ["sh", "-c", push.unpack(str(target))]
        done = subprocess.run(command, input=archive.getvalue(), capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(path.name for path in target.iterdir()) == ["data", "it's a $program"]
    assert (target / program.name).read_bytes() == program.read_bytes()
    assert os.access(target / program.name, os.X_OK)
    # a program that runs keeps the file that it has
    assert held.read() == b"old"
    held.close()


def test_what_was_damaged_on_its_way_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"right")
    archive = io.BytesIO()
    push.pack((tmp_path / "data",), archive)
    target = tmp_path / "t"
    target.mkdir()
    (target / "data").write_bytes(b"old")
    for damaged in (archive.getvalue().replace(b"right", b"wrong"), archive.getvalue()[:700], b""):
        command = ["sh", "-c", push.unpack(str(target))]
        assert subprocess.run(command, input=damaged, capture_output=True).returncode != 0
        assert [path.name for path in target.iterdir()] == ["data"]
        assert (target / "data").read_bytes() == b"old"


def test_what_cannot_be_pushed_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "with").mkdir()
    (tmp_path / "with/away").symlink_to(tmp_path / "d")
    (tmp_path / "empty").mkdir()
    for files, why in (
        ([tmp_path / "gone"], "gone is missing"),
        ([tmp_path / "link"], "link is a broken link"),
        ([tmp_path / "with"], "away is a link to a folder"),
        ([tmp_path / "empty"], "no file in it"),
        ([tmp_path / "a", tmp_path / "d/a"], "another file has the same name"),
    ):
        with pytest.raises(InputError, match=why):
            push.pack(tuple(files), io.BytesIO())


def test_a_folder_is_laid_over_the_one_that_is_there(tmp_path: Path) -> None:
    folder, target = tmp_path / "case", tmp_path / "there"
    for place, text in (("a b/new", "1"), ("-x", "2"), ("deep/er/same", "3")):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text)
    (folder / "linked").symlink_to("-x")
    (target / "case/deep/er").mkdir(parents=True)
    (target / "case/deep/er/same").write_text("old")
    (target / "case/deep/result").write_text("stays")
    archive = io.BytesIO()
    names = push.pack((folder,), archive)
    assert names == ["case/-x", "case/linked", "case/a b/new", "case/deep/er/same"]
    command = ["sh", "-c", push.unpack(str(target))]
    done = subprocess.run(command, input=archive.getvalue(), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    there = {p.relative_to(target).as_posix(): p for p in target.rglob("*") if p.is_file()}
    assert {name: path.read_text() for name, path in there.items()} == {
        "case/a b/new": "1",
        "case/-x": "2",
        "case/linked": "2",
        "case/deep/er/same": "3",
        "case/deep/result": "stays",
    }
    assert not any(path.is_symlink() for path in there.values())
