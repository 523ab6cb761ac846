"""{path: File} against a folder: nothing is lost, nothing is half done."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from mpigen.artifacts.manifest import File, with_manifest
from mpigen.errors import InputError
from mpigen.output.compare import Change, compare
from mpigen.output.write import apply
from tests.conftest import snapshot

FILES = with_manifest(
    {
        "a": File("a\n", 0o644, "builtin/a.j2"),
        "sub/deep/b.sh": File("#!/bin/sh\n", 0o755, "builtin/b.j2"),
        "sub/c": File("größe\r\n", 0o644, "templates/c.j2"),
    }
)


def write(files: dict[str, File], folder: Path, private: dict[str, str] | None = None) -> None:
    apply(compare(files, folder), files, private or {}, folder)


def without(path: str) -> dict[str, File]:
    return with_manifest({p: f for p, f in FILES.items() if p not in (path, "manifest.json")})


def changed(path: str, text: str) -> dict[str, File]:
    files = {p: f for p, f in FILES.items() if p != "manifest.json"}
    return with_manifest({**files, path: File(text, files[path].mode, "t")})


def forge(folder: Path, files: dict[str, object]) -> None:
    """Make the manifest say what it likes."""
    (folder / "manifest.json").write_text(json.dumps({"mpigen": "0", "files": files}))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "output"
    write(FILES, folder)
    return folder


def test_the_folder_holds_the_bytes_and_modes_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        write(FILES, tmp_path / "new" / "output")
    finally:
        os.umask(old)
    for path, file in FILES.items():
        written = tmp_path / "new" / "output" / path
        assert written.read_bytes() == file.text.encode()
        assert stat.S_IMODE(written.stat().st_mode) == file.mode


def test_a_second_time_there_is_nothing_to_do(output: Path) -> None:
    before = snapshot(output)
    assert compare(FILES, output) == []
    write(FILES, output)
    assert snapshot(output) == before


def test_only_what_changed_is_written(output: Path) -> None:
    before = snapshot(output)
    write(changed("a", "new\n"), output)
    after = snapshot(output)
    assert {path for path in after if after[path] != before[path]} == {"a", "manifest.json"}


def test_what_somebody_changed_is_told_as_edited(output: Path) -> None:
    (output / "a").write_text("by hand\n")
    (change,) = compare(FILES, output)
    assert change == Change("a", "changed", edited=True)


def test_a_lost_exec_bit_is_a_change_and_no_edit(output: Path) -> None:
    (output / "sub/deep/b.sh").chmod(0o644)
    assert compare(FILES, output) == [Change("sub/deep/b.sh", "mode", edited=False, mode=True)]


def test_a_file_that_was_there_before_is_told_as_edited(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine\n")
    assert Change("a", "changed", edited=True) in compare(FILES, tmp_path)


def test_what_is_no_text_is_told_as_edited(output: Path) -> None:
    (output / "a").write_bytes(b"\xff\x00")
    assert compare(FILES, output) == [Change("a", "changed", edited=True)]


def test_what_is_made_no_more_is_removed_with_its_empty_folders_and_nothing_else(
    output: Path,
) -> None:
    (output / "sub/mine").write_text("kept\n")
    (output / "mine").write_text("kept\n")
    write(without("sub/deep/b.sh"), output)
    assert not (output / "sub/deep").exists()
    assert (output / "sub/mine").exists()
    assert (output / "mine").exists()


def test_what_is_made_no_more_and_was_edited_is_told(output: Path) -> None:
    (output / "sub/c").write_text("by hand\n")
    assert Change("sub/c", "removed", edited=True) in compare(without("sub/c"), output)


def test_a_folder_with_a_files_name_is_not_removed(output: Path) -> None:
    (output / "sub/c").unlink()
    (output / "sub/c").mkdir()
    write(without("sub/c"), output)
    assert (output / "sub/c").is_dir()


@pytest.mark.parametrize(
    "path",
    ["../outside", "sub/../../outside", "keys/id_ed25519", "/etc/hostname", "", ".", "sub//c"],
)
def test_a_tampered_manifest_removes_nothing_that_mpigen_does_not_make(
    output: Path, path: str
) -> None:
    (output.parent / "outside").write_text("mine\n")
    (output / "keys").mkdir()
    (output / "keys/id_ed25519").write_text("mine\n")
    sha256 = "5fa8b4a62b9c8e2c8e2d7b5f3d3c3a5b"
    target = output / path
    if target.is_file():
        done = subprocess.run(["sha256sum", target], capture_output=True, text=True, check=True)
        sha256 = done.stdout.split()[0]
    forge(output, {path: {"sha256": sha256}})
    assert [change for change in compare(FILES, output) if change.kind == "removed"] == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"files": []}', '{"files": {"a": 1}}', "\udcff", None]
)
def test_a_manifest_of_somebody_else_is_refused(output: Path, text: str | None) -> None:
    (output / "manifest.json").unlink()
    if text is None:
        (output / "manifest.json").mkdir()
    else:
        (output / "manifest.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(
        InputError, match=r"manifest\.json(: is not a regular file| is not a manifest)"
    ):
        compare(FILES, output)


def test_a_symlink_in_a_files_place_is_replaced_and_not_followed(output: Path) -> None:
    outside = output.parent / "outside"
    outside.write_text("mine\n")
    (output / "a").unlink()
    (output / "a").symlink_to(outside)
    assert compare(FILES, output) == [Change("a", "changed", edited=True)]
    write(FILES, output)  # as --force does
    assert not (output / "a").is_symlink()
    assert outside.read_text() == "mine\n"


@pytest.mark.parametrize("files", [FILES, without("sub/deep/b.sh")], ids=["write", "remove"])
def test_a_symlink_in_a_folders_place_is_refused(output: Path, files: dict[str, File]) -> None:
    outside = output.parent / "outside"
    (output / "sub").rename(outside)
    (output / "sub").symlink_to(outside)
    before = snapshot(output.parent)
    with pytest.raises(InputError, match="sub is a file or a symlink"):
        compare(files, output)
    assert snapshot(output.parent) == before


def content(folder: Path) -> dict[str, bytes]:
    """What the files hold; folders have a new time when something was beside them for a while."""
    return {path: data for path, (_, _, data) in snapshot(folder).items()}


def test_a_folder_in_a_files_place_stops_everything(output: Path) -> None:
    (output / "sub/c").unlink()
    (output / "sub/c").mkdir()
    before = content(output)
    with pytest.raises(InputError, match="sub/c is not a file, but should be one"):
        write(changed("a", "new\n"), output, {"keys/id_ed25519": "secret\n"})
    assert content(output) == before


@pytest.mark.parametrize("place", ["file", "file/output", "file/some/output"])
def test_a_file_where_the_folder_should_be_is_an_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("mine\n")
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match="cannot be written"):
        write(FILES, tmp_path / place)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("there_before", [True, False])
def test_a_full_disk_changes_nothing(tmp_path: Path, there_before: bool) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.fail("this test needs root, to mount a small file system")
    try:
        if there_before:
            write(FILES, disk / "output")
        before = content(disk)
        with pytest.raises(InputError, match="cannot be written: No space left on device"):
            write(changed("sub/c", "x" * 100_000), disk / "output", {"keys/k": "secret\n"})
        assert content(disk) == before
    finally:
        subprocess.run(["umount", str(disk)], check=True)
