"""Writing to a folder: what stays, stays as it is; what is in the way is told or gone round."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mpigen.artifacts.manifest import File, with_manifest
from mpigen.artifacts.paths import MANIFEST
from mpigen.errors import InputError
from mpigen.output.compare import compare
from mpigen.output.write import STAGING, apply
from tests.conftest import snapshot
from tests.unit.output.test_killed import forked, tree

FILES = with_manifest(
    {"a": File("a\n", 0o644, "t"), "sub/deep/b": File("b\n", 0o755, "t"), "c": File("", 0o644, "t")}
)
OTHER = with_manifest({"a": File("A\n", 0o644, "t"), "c": File("", 0o644, "t")})


def write(files: dict[str, File], folder: Path) -> None:
    apply(compare(files, folder), files, {}, folder)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "output"
    write(FILES, folder)
    return folder


def test_what_stays_is_the_same_file_with_its_times(output: Path) -> None:
    (output / "mine").mkdir(mode=0o750)
    (output / "mine/big").write_text("x")
    (output / "mine/pipe").symlink_to("nowhere")
    os.utime(output / "mine", (1, 1))
    before = {path: (output / path).lstat() for path in ("c", "mine/big", "mine/pipe")}
    write(OTHER, output)
    for path, was in before.items():
        now = (output / path).lstat()
        assert (now.st_ino, now.st_mtime_ns) == (was.st_ino, was.st_mtime_ns), path
        assert now.st_nlink == 1
    assert (output / "mine").stat().st_mtime == 1
    assert (output / "mine").stat().st_mode & 0o777 == 0o750
    assert not (output / "sub").exists()


def test_nothing_to_do_touches_nothing(output: Path) -> None:
    before = snapshot(output.parent)
    write(FILES, output)
    assert snapshot(output.parent) == before


def test_a_shell_that_is_in_the_folder_stays_in_it(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(output / "sub")
    inode = output.stat().st_ino
    write(with_manifest({**FILES, "a": File("A\n", 0o644, "t")}), output)
    assert output.stat().st_ino == inode
    assert (output / "a").read_text() == "A\n"
    assert not (output / STAGING).exists() and not (output.parent / STAGING).exists()


def test_a_folder_that_is_a_mount_point_is_written_too(output: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(output)]
    assert subprocess.run(mount).returncode == 0, "this test needs root, to mount a file system"
    try:
        write(FILES, output)
        write(OTHER, output)
        assert compare(OTHER, output) == []
        assert sorted(path.name for path in output.iterdir()) == ["a", "c", MANIFEST]
    finally:
        subprocess.run(["umount", str(output)], check=True)


def test_a_file_system_that_is_read_only_is_a_clear_error(output: Path) -> None:
    mount = ["mount", "--bind", str(output.parent), str(output.parent)]
    again = ["mount", "-o", "remount,ro,bind", str(output.parent)]
    assert subprocess.run(mount).returncode == 0, "this test needs root, to mount a file system"
    try:
        subprocess.run(again, check=True)
        before = snapshot(output.parent)
        with pytest.raises(InputError, match="cannot be written: Read-only file system"):
            write(OTHER, output)
        assert snapshot(output.parent) == before
    finally:
        subprocess.run(["umount", str(output.parent)], check=True)


def test_an_error_half_way_one_by_one_says_so_and_the_next_render_heals_it(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(output)
    rename = Path.replace

    def cut_off(source: Path, target: Path) -> Path:
        if target.name == MANIFEST:
            raise OSError(5, "Input/output error", str(target))
        return rename(source, target)

    monkeypatch.setattr(Path, "replace", cut_off)
    with pytest.raises(InputError, match="some files are new, some are old"):
        write(OTHER, output)
    monkeypatch.undo()
    assert (output / "a").read_text() == "A\n"
    write(OTHER, output)
    assert compare(OTHER, output) == []


@pytest.mark.parametrize("place", [lambda output: output, lambda output: output.parent])
def test_a_link_in_the_stagings_place_is_not_followed(
    output: Path, place: Callable[[Path], Path]
) -> None:
    outside = output.parent / "outside"
    (outside / "new").mkdir(parents=True)
    (outside / "new/precious").write_text("x")
    (place(output) / STAGING).symlink_to(outside)
    before = tree(outside)
    write(OTHER, output)
    assert tree(outside) == before
    assert compare(OTHER, output) == []


def test_a_link_to_the_folder_is_followed_once(output: Path) -> None:
    link = output.parent / "link"
    link.symlink_to(output)
    write(OTHER, link)
    assert link.is_symlink() and compare(OTHER, output) == []


def test_a_link_to_itself_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "output").symlink_to("output")
    with pytest.raises(InputError, match="Too many levels of symbolic links"):
        write(FILES, tmp_path / "output")


def test_what_is_new_belongs_to_the_group_of_its_folder(output: Path) -> None:
    os.chown(output, -1, 100)
    output.chmod(0o2775)
    write(with_manifest({"new/d": File("d\n", 0o644, "t")}), output)
    assert stat.S_IMODE(output.stat().st_mode) == 0o2775
    assert {path.stat().st_gid for path in (output, output / "new", output / "new/d")} == {100}


def test_a_file_too_large_for_the_user_changes_nothing(output: Path) -> None:
    before = snapshot(output.parent)

    def work() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        with pytest.raises(InputError, match="cannot be written: File too large"):
            write(with_manifest({"a": File("x" * 20_000, 0o644, "t")}), output)

    assert forked(work) == 0
    after = snapshot(output.parent)
    after["output"] = before["output"]  # a staging folder was beside it for a while
    assert after == before


@pytest.fixture
def anybody() -> Iterator[Callable[[Callable[[], None]], int]]:
    """Run something as a user who is not root: it is given nothing but /tmp."""
    assert os.geteuid() == 0, "this test needs root, to become somebody else"

    def run(work: Callable[[], None]) -> int:
        def dropped() -> None:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            work()

        return forked(dropped)

    return run


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may write to."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


Anybody = Callable[[Callable[[], None]], int]


def test_a_folder_of_the_users_that_is_read_only_stays_so(public: Path, anybody: Anybody) -> None:
    def work() -> None:
        write(FILES, public / "output")
        (public / "output/mine").mkdir()
        (public / "output/mine/x").write_text("x")
        (public / "output/mine").chmod(0o555)
        write(OTHER, public / "output")
        write(FILES, public / "output")
        assert compare(FILES, public / "output") == []

    assert anybody(work) == 0
    assert (public / "output/mine/x").read_text() == "x"
    assert stat.S_IMODE((public / "output/mine").stat().st_mode) == 0o555
    assert not list(public.rglob(STAGING))


def test_a_folder_of_somebody_else_stays_theirs(public: Path, anybody: Anybody) -> None:
    write(FILES, public / "output")
    for path in (public / "output", *(public / "output").rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    assert anybody(lambda: write(OTHER, public / "output")) == 0
    assert compare(OTHER, public / "output") == []
    assert (public / "output").stat().st_uid == 0
    assert stat.S_IMODE((public / "output").stat().st_mode) == 0o777


def test_a_folder_above_that_cannot_be_written_is_gone_round(
    public: Path, anybody: Anybody
) -> None:
    assert anybody(lambda: write(FILES, public / "output")) == 0
    public.chmod(0o755)
    assert anybody(lambda: write(OTHER, public / "output")) == 0
    assert compare(OTHER, public / "output") == []


def test_a_folder_that_cannot_be_written_is_an_error(public: Path, anybody: Anybody) -> None:
    write(FILES, public / "output")
    public.chmod(0o755)
    before = snapshot(public)

    def work() -> None:
        with pytest.raises(InputError, match="output: cannot be written: Permission denied"):
            write(OTHER, public / "output")

    assert anybody(work) == 0
    assert snapshot(public) == before


def test_a_file_that_cannot_be_read_is_an_error(public: Path, anybody: Anybody) -> None:
    write(FILES, public / "output")
    (public / "output/a").chmod(0o600)

    def work() -> None:
        with pytest.raises(InputError, match="a: cannot be read: Permission denied"):
            compare(FILES, public / "output")

    assert anybody(work) == 0


def test_what_cannot_be_removed_stays_hidden_from_git(output: Path) -> None:
    left = output.parent / STAGING
    (left / "new/keys").mkdir(parents=True)
    (left / ".gitignore").write_text("*\n")
    (left / "new/keys/id_ed25519").write_text("secret\n")
    fixed = subprocess.run(["chattr", "+i", left / "new/keys/id_ed25519"], capture_output=True)
    assert fixed.returncode == 0, "this test needs root, to make a file immutable"
    try:
        write(OTHER, output)
        assert compare(OTHER, output) == []
        assert (left / ".gitignore").read_text() == "*\n"
    finally:
        subprocess.run(["chattr", "-i", left / "new/keys/id_ed25519"], check=True)
    write(FILES, output)
    assert not left.exists()
