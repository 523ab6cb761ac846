"""All or nothing: killed or run twice at once, a render leaves the old tree or the new."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mpigen.errors import InputError
from mpigen.output import MANIFEST, compare, with_manifest
from mpigen.render import File
from mpigen.swap import STAGING, alone, apply
from tests.conftest import snapshot

OLD = "name: x\n"
NEW = "name: y\nworkers: [{replicas: 3}]\n"

Tree = dict[str, tuple[int, bytes]]


def tree(folder: Path) -> Tree:
    """Mode and content of every file."""
    return {
        path: (mode, text) for path, (mode, _, text) in snapshot(folder).items() if mode & 0o100000
    }


def render(site: Path, *, env: dict[str, str] | None = None) -> None:
    mpigen = [sys.executable, "-m", "mpigen", "render", "-c", str(site / "mpigen.yaml")]
    subprocess.run(mpigen, check=True, capture_output=True, env={**os.environ, **(env or {})})


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site in git, rendered, with a file of the user's own and a template that goes."""
    (tmp_path / "mpigen.yaml").write_text(OLD)
    (tmp_path / "templates/gone").mkdir(parents=True)
    (tmp_path / "templates/gone/notes.txt.j2").write_text("mine\n")
    render(tmp_path)
    (tmp_path / "output/results").mkdir()
    (tmp_path / "output/results/run 1.txt").write_text("42\n")
    (tmp_path / "output/link").symlink_to("stack.yml")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def both(site: Path) -> tuple[Tree, Tree]:
    """The tree as it is, and as it is after a render of what mpigen.yaml is made to say now."""
    old = tree(site / "output")
    (site / "mpigen.yaml").write_text(NEW)
    (site / "templates/gone/notes.txt.j2").unlink()
    render(site)
    new = tree(site / "output")
    assert old != new and "gone/notes.txt" in old and not (site / "output/gone").exists()
    assert old["results/run 1.txt"] == new["results/run 1.txt"]
    back(site)
    assert tree(site / "output") == old
    (site / "mpigen.yaml").write_text(NEW)
    (site / "templates/gone/notes.txt.j2").unlink()
    return old, new


def back(site: Path) -> None:
    (site / "mpigen.yaml").write_text(OLD)
    (site / "templates/gone/notes.txt.j2").write_text("mine\n")
    render(site)


def private_keys_that_git_sees(site: Path) -> list[str]:
    status = ["git", "-C", str(site), "status", "--porcelain", "-uall"]
    listed = subprocess.run(status, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in listed if line.endswith(("id_ed25519", "host_ed25519_key"))]


# Runs a render and kills itself at the n-th event that has to do with files.
KILLED = """
import os, signal, sys
left = int(os.environ["KILL_AT"])
from mpigen.cli import main
import mpigen.swap, mpigen.site, ctypes
events = ("open", "os.", "shutil.", "ctypes.", "pathlib.", "fcntl.")
def hook(event, args):
    global left
    if event.startswith(events):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
sys.argv = ["mpigen", "render", "-c", sys.argv[1]]
main()
"""


def killed_at(site: Path, event: int) -> bool:
    """Whether the render was killed, and not over before that event."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, site / "mpigen.yaml"],
        env={**os.environ, "KILL_AT": str(event)},
        capture_output=True,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def test_killed_at_any_event_it_leaves_the_old_tree_or_the_new(site: Path) -> None:
    old, new = both(site)
    event, step, kills = 1, 7, 0
    while killed_at(site, event):
        kills += 1
        now = tree(site / "output")
        assert now in (old, new), event
        assert private_keys_that_git_sees(site) == [], event
        if kills % 10 == 0 or now == new:
            render(site)
            assert tree(site / "output") == new, event
            assert not list(site.rglob(STAGING)), event
            back(site)
            (site / "mpigen.yaml").write_text(NEW)
            (site / "templates/gone/notes.txt.j2").unlink()
        event += step
    assert kills >= 50
    assert tree(site / "output") == new
    assert not list(site.rglob(STAGING))


def test_killed_at_50_random_moments_it_leaves_the_old_tree_or_the_new(site: Path) -> None:
    old, new = both(site)
    started = time.monotonic()
    render(site)
    whole = time.monotonic() - started
    pick = random.Random(1)
    for _ in range(50):
        process = subprocess.Popen(
            [sys.executable, "-m", "mpigen", "render", "-c", site / "mpigen.yaml"],
            stdout=subprocess.DEVNULL,
        )
        time.sleep(pick.uniform(0, whole))
        process.kill()
        process.wait()
        now = tree(site / "output")
        assert now in (old, new)
        assert private_keys_that_git_sees(site) == []
        if now == new:
            # the other way round
            old, new = new, old
            if (site / "mpigen.yaml").read_text() == NEW:
                (site / "mpigen.yaml").write_text(OLD)
                (site / "templates/gone/notes.txt.j2").write_text("mine\n")
            else:
                (site / "mpigen.yaml").write_text(NEW)
                (site / "templates/gone/notes.txt.j2").unlink()
    render(site)
    assert tree(site / "output") == new
    assert not list(site.rglob(STAGING))


def test_renders_at_once_do_not_mix(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    texts = [f"name: x{index}\nworkers: [{{replicas: {index + 1}}}]\n" for index in range(8)]
    for index, text in enumerate(texts):
        (tmp_path / f"{index}.yaml").write_text(text)
    command = [sys.executable, "-m", "mpigen", "render", "-o", tmp_path / "output"]
    together = [
        subprocess.Popen([*command, "-c", tmp_path / f"{index}.yaml"], stdout=subprocess.DEVNULL)
        for index in range(len(texts))
    ]
    assert [each.wait() for each in together] == [0] * len(texts)
    last = tree(tmp_path / "output")
    assert not (tmp_path / STAGING).exists()
    fresh = [
        subprocess.run([*command, "-c", tmp_path / f"{index}.yaml", "--check"], capture_output=True)
        for index in range(len(texts))
    ]
    assert sorted(done.returncode for done in fresh) == [0] + [1] * (len(texts) - 1)
    assert tree(tmp_path / "output") == last


def test_who_waits_for_another_render_says_so(tmp_path: Path) -> None:
    (tmp_path / "mpigen.yaml").write_text(OLD)
    with alone(tmp_path / "output", lambda: None):
        process = subprocess.Popen(
            [sys.executable, "-m", "mpigen", "render", "-c", tmp_path / "mpigen.yaml"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr and process.stderr.readline() == "waiting for another render\n"
        assert not (tmp_path / "output").exists()
    assert process.wait() == 0
    process.stderr.close()


# The folder itself

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
    with alone(output, lambda: None):
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
    with alone(output, lambda: None):
        write(OTHER, output)
    assert tree(outside) == before
    assert compare(OTHER, output) == []


def test_a_link_to_the_folder_is_followed_once(output: Path) -> None:
    link = output.parent / "link"
    link.symlink_to(output)
    write(OTHER, link)
    assert link.is_symlink() and compare(OTHER, output) == []
