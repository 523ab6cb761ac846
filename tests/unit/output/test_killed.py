"""Killed at any moment, or run many at once, a render leaves the old tree or the new one."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mpigen.artifacts.manifest import File, with_manifest
from mpigen.output.compare import compare
from mpigen.output.lock import write_lock
from mpigen.output.write import STAGING, apply

Tree = dict[str, tuple[int, bytes]]

PRIVATE = {"keys/id_ed25519": "secret\n"}
KEPT = {
    ".gitignore": File("/keys/*\n!/keys/*.pub\n", 0o644, "t"),
    "keys/id_ed25519.pub": File("public\n", 0o644, "keys"),
    "same": File("same\n", 0o755, "t"),
}
OLD = with_manifest(
    {
        **KEPT,
        "a": File("old\n", 0o644, "t"),
        "gone/deep/b": File("b\n", 0o644, "t"),
        "gone/deep/c": File("c\n", 0o755, "t"),
    }
)
NEW = with_manifest({**KEPT, "a": File("new\n", 0o755, "t"), "more/d": File("d\n", 0o644, "t")})


def tree(folder: Path) -> Tree:
    """Mode and content of every file; a symlink's content is where it points to."""
    return {
        path.relative_to(folder).as_posix(): (
            path.lstat().st_mode & 0o777,
            os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes(),
        )
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def write(files: dict[str, File], folder: Path, private: dict[str, str]) -> None:
    """What the command does, from the lock to the last file."""
    with write_lock(folder, print):
        new = {path: text for path, text in private.items() if not (folder / path).exists()}
        apply(compare(files, folder), files, new, folder)


def forked(work: Callable[[], None]) -> int:
    """How `work` ends in a process of its own: 0, 1 after a traceback, or the signal, negative."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(event: int, work: Callable[[], None]) -> bool:
    """Run `work` and kill it just before its n-th call to do with files; False if it has fewer."""
    left = event

    def count(name: str, _arguments: object) -> None:
        nonlocal left
        if name.startswith(("open", "os.", "shutil.", "ctypes.", "fcntl.")):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def counted() -> None:
        sys.addaudithook(count)  # which cannot be taken back, but ends with the process
        work()

    code = forked(counted)
    assert code in (0, -signal.SIGKILL)
    return code != 0


def private_keys_that_git_sees(site: Path) -> list[str]:
    status = ["git", "-C", str(site), "status", "--porcelain", "-uall"]
    listed = subprocess.run(status, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in listed if line.endswith(("id_ed25519", "host_ed25519_key"))]


@pytest.mark.parametrize("at_once", [True, False], ids=["at-once", "one-by-one"])
@pytest.mark.parametrize("there_before", [True, False])
def test_killed_before_any_call(tmp_path: Path, there_before: bool, at_once: bool) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    output = tmp_path / "output"

    def work() -> None:
        # inside of the folder it cannot be exchanged
        os.chdir(tmp_path if at_once else output)
        write(NEW, output, PRIVATE)

    private = {path: (0o600, text.encode()) for path, text in PRIVATE.items()}
    new = {path: (file.mode, file.text.encode()) for path, file in NEW.items()} | private
    event, killed = 0, True
    while killed:
        event += 1
        output.mkdir()
        if there_before:
            write(OLD, output, PRIVATE)
            (output / "mine").mkdir()
            (output / "mine/link").symlink_to("../a")
            new["mine/link"] = (0o777, b"../a")
        elif at_once:
            output.rmdir()
        old = tree(output)
        killed = killed_at(event, work)
        now = tree(output)
        if at_once:
            assert now in (old, new), event
        else:
            now = {path: had for path, had in now.items() if STAGING not in path}
            assert all(had in (old.get(path), new.get(path)) for path, had in now.items()), event
        assert private_keys_that_git_sees(tmp_path) == [], event
        write(NEW, output, PRIVATE)
        assert tree(output) == new, event
        assert not list(tmp_path.rglob(STAGING)), event
        shutil.rmtree(output)
    assert event > 40


def mpigen(config: Path, *words: str | Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "mpigen", "render", "-c", config, *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def ended(process: "subprocess.Popen[bytes]") -> int:
    _, said = process.communicate()
    assert b"Traceback" not in said
    return process.returncode


def test_killed_at_50_random_moments(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    output, config = tmp_path / "output", tmp_path / "mpigen.yaml"
    (tmp_path / "templates/many").mkdir(parents=True)
    texts = ["name: x\n", "name: y\nworkers: [{replicas: 3}]\n"]
    trees = []
    for text in texts:
        # files enough for the writing to last
        for number in range(100):
            (tmp_path / f"templates/many/{number}.j2").write_text(f"{text}{number}\n")
        config.write_text(text)
        started = time.monotonic()
        assert ended(mpigen(config)) == 0
        whole = time.monotonic() - started
        trees.append(tree(output))
    pick = random.Random()
    now = trees[1]
    for turn in range(50):
        aim = turn % 2
        for number in range(100):
            (tmp_path / f"templates/many/{number}.j2").write_text(f"{texts[aim]}{number}\n")
        config.write_text(texts[aim])
        process = mpigen(config)
        time.sleep(whole * pick.uniform(0, 1.1))
        process.kill()
        assert ended(process) in (0, -signal.SIGKILL)
        before, now = now, tree(output)
        assert now in (before, trees[aim])
        assert private_keys_that_git_sees(tmp_path) == []
    assert ended(mpigen(config)) == 0
    assert tree(output) == trees[aim]
    assert not list(tmp_path.rglob(STAGING))


@pytest.mark.parametrize("many", [2, 10])
def test_renders_at_once_do_not_mix(tmp_path: Path, many: int) -> None:
    output = tmp_path / "new/place/output"
    configs = [tmp_path / f"{number}.yaml" for number in range(many)]
    for number, config in enumerate(configs):
        config.write_text(f"name: x{number}\nworkers: [{{replicas: {number + 1}}}]\n")
    together = [mpigen(config, "-o", output) for config in configs]
    assert [ended(each) for each in together] == [0] * many
    fresh = [ended(mpigen(config, "-o", output, "--check")) for config in configs]
    assert sorted(fresh) == [0] + [1] * (many - 1)
    assert sorted(path.name for path in output.parent.iterdir()) == ["output"]


def test_renders_at_once_into_folders_that_are_made_and_unmade_do_not_mix(tmp_path: Path) -> None:
    output = tmp_path / "new/place/output"

    def work(number: int) -> None:
        files = {f"f{each}": File(f"{number}\n", 0o644, "t") for each in range(50)}
        with write_lock(output, print):
            if number % 2:  # as where mpigen.yaml is wrong
                return
            made = with_manifest(files)
            apply(compare(made, output), made, {}, output)

    for _ in range(20):
        started = []
        for number in range(6):
            child = os.fork()
            if child == 0:
                try:
                    work(number)
                except BaseException:
                    sys.excepthook(*sys.exc_info())
                    os._exit(1)
                os._exit(0)
            started.append(child)
        assert [os.waitpid(child, 0)[1] for child in started] == [0] * 6
        assert len({path.read_text() for path in output.glob("f*")}) == 1
        shutil.rmtree(tmp_path / "new")


def test_who_waits_for_another_render_says_so(tmp_path: Path) -> None:
    (tmp_path / "mpigen.yaml").write_text("name: x\n")
    with write_lock(tmp_path / "output", print):
        process = mpigen(tmp_path / "mpigen.yaml")
        assert process.stderr
        assert process.stderr.readline().decode() == f"waiting for another render in {tmp_path}\n"
        assert not (tmp_path / "output").exists()
    assert ended(process) == 0


def test_a_folder_that_cannot_be_locked_is_told_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int, _how: int) -> None:
        raise OSError(9, "Bad file descriptor")  # as NFS does

    monkeypatch.setattr("fcntl.flock", refuse)
    said: list[str] = []
    with write_lock(tmp_path / "output", said.append):
        apply(compare(NEW, tmp_path / "output"), NEW, {}, tmp_path / "output")
    (warning,) = said
    assert warning.startswith(f"warning: {tmp_path} cannot be locked (Bad file descriptor)")
    assert compare(NEW, tmp_path / "output") == []


def test_a_render_that_fails_leaves_no_folder_that_it_made(tmp_path: Path) -> None:
    (tmp_path / "mpigen.yaml").write_text("name: 1_2\n")
    assert ended(mpigen(tmp_path / "mpigen.yaml", "-o", tmp_path / "new/place/output")) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mpigen.yaml"]
