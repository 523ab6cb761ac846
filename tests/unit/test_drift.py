"""`mpigen render --check` and `--diff`: what is not as a render would write it, anywhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mpigen import keys
from tests.conftest import Mpigen, snapshot

TEXT = "name: x\n"


@pytest.fixture
def site(tmp_path: Path, mpigen: Mpigen, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A rendered site, in which the command runs, with an artifact of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mpigen.yaml").write_text(TEXT)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/notes.md.j2").write_text("notes\n")
    assert mpigen("render").code == 0
    return tmp_path


def clone(site: Path) -> Path:
    """What git has of the site: no private keys."""
    for command in (
        ["git", "init", "-q", "."],
        ["git", "add", "-A"],
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "site"],
        ["git", "clone", "-q", ".", "clone"],
    ):
        subprocess.run(command, cwd=site, check=True)
    return site / "clone"


def test_a_fresh_output_is_fresh_and_nothing_is_written(site: Path, mpigen: Mpigen) -> None:
    before = snapshot(site)
    done = mpigen("render", "--check")
    assert (done.code, done.out, done.err) == (0, "x: output is fresh, 28 files\n", "")
    assert mpigen("render", "--diff").out == ""
    assert snapshot(site) == before


def test_each_kind_of_drift_is_named_with_what_mends_it(site: Path, mpigen: Mpigen) -> None:
    (site / "mpigen.yaml").write_text("name: x\nssh: {port: 2223}\n")
    (site / "templates/notes.md.j2").unlink()
    (site / "output/scripts/run.sh").chmod(0o644)
    (site / "output/scripts/down.sh").unlink()
    before = snapshot(site)
    done = mpigen("render", "--check")
    assert done.code == 1
    for line in (
        "  missing  output/scripts/down.sh",
        "     mode  output/scripts/run.sh",
        "  changed  output/rootfs/etc/mpi/sshd_config",
        "    extra  output/notes.md",
    ):
        assert line in done.err.splitlines()
    assert "Run `mpigen render` and commit what it writes" in done.err
    assert snapshot(site) == before
    assert mpigen("render").code == 0
    assert mpigen("render", "--check").code == 0


def test_a_hand_edit_is_told_with_the_ways_out(site: Path, mpigen: Mpigen) -> None:
    with (site / "output/stack.yml").open("a") as file:
        file.write("# mine\n")
    done = mpigen("render", "--check")
    assert done.code == 1
    assert "  changed  output/stack.yml (edited by hand)" in done.err.splitlines()
    before = snapshot(site)
    done = mpigen("render")
    assert done.code == 1
    assert "\n-# mine\n" in done.err
    for way in ("mpigen templates eject stack.yml", "git checkout", "mpigen render --force"):
        assert way in done.err
    assert snapshot(site) == before


def test_the_diff_is_one_that_git_takes(site: Path, mpigen: Mpigen) -> None:
    copy = clone(site)
    (site / "mpigen.yaml").write_text("name: x\nworkers: [{replicas: 3}]\n")
    (site / "templates/notes.md.j2").unlink()
    (site / "templates/new file.txt.j2").write_text("no newline at the end")
    (site / "output/scripts/run.sh").chmod(0o644)
    (copy / "output/scripts/run.sh").chmod(0o644)
    done = mpigen("render", "--diff")
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    assert "+      replicas: 3\n" in done.out
    subprocess.run(["git", "apply", "-"], cwd=copy, input=done.out, text=True, check=True)
    assert mpigen("render").code == 0
    for path in (site / "output").rglob("*"):
        if path.is_file() and path.name not in (keys.USER_KEY, keys.HOST_KEY):
            twin = copy / path.relative_to(site)
            assert twin.read_bytes() == path.read_bytes()
            assert twin.stat().st_mode == path.stat().st_mode
    assert not (copy / "output/notes.md").exists()


def test_check_and_diff_together_show_and_judge(site: Path, mpigen: Mpigen) -> None:
    (site / "output/README.md").unlink()
    done = mpigen("render", "--check", "--diff")
    assert done.code == 1
    assert "new file mode 100644\n--- /dev/null\n+++ b/output/README.md\n" in done.out


def test_a_machine_reads_the_same(site: Path, mpigen: Mpigen) -> None:
    fresh = {"cluster": "x", "fresh": True, "changes": [], "warnings": []}
    done = mpigen("render", "--check", "--json")
    assert (done.code, json.loads(done.out)) == (0, fresh)
    (site / "output/README.md").write_text("mine\n")
    (site / "output/stack.yml").unlink()
    done = mpigen("render", "--check", "--json")
    report = json.loads(done.out)
    assert (done.code, report["fresh"]) == (1, False)
    assert report["changes"] == [
        {"path": "README.md", "kind": "changed", "edited": True},
        {"path": "stack.yml", "kind": "missing", "edited": False},
    ]
    (site / "output/README.md").unlink()
    assert [each["path"] for each in json.loads(mpigen("render", "--json").out)["changes"]] == [
        "README.md",
        "stack.yml",
    ]


def test_a_warning_is_said_and_is_no_drift(site: Path, mpigen: Mpigen) -> None:
    (site / "mpigen.yaml").write_text("name: x\nworkers: [{stack: {user: root}}]\n")
    for words in (["render"], ["render", "--check"]):
        done = mpigen(*words)
        assert done.code == 0
        assert done.err.startswith("warning: stack.yml: services.worker.user is 'root'; ")


def test_before_the_first_render_the_check_says_so_and_makes_no_keys(
    tmp_path: Path, mpigen: Mpigen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mpigen.yaml").write_text(TEXT)
    done = mpigen("render", "--check")
    assert (done.code, done.out) == (1, "")
    assert done.err == "error: nothing has been rendered to output yet\nRun `mpigen render`.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mpigen.yaml"]


SURROUNDINGS = [
    ({"PYTHONHASHSEED": "0", "LC_ALL": "C"}, 0o022),
    ({"PYTHONHASHSEED": "1", "LC_ALL": "C.UTF-8", "TZ": "Pacific/Auckland"}, 0o077),
    ({"PYTHONHASHSEED": "2", "LC_ALL": "tr_TR.UTF-8", "TZ": "UTC"}, 0o000),
    ({"PYTHONHASHSEED": "3", "LANG": "", "LC_ALL": "POSIX", "PYTHONUTF8": "0"}, 0o027),
    ({"PYTHONHASHSEED": "4", "HOME": "/nowhere", "DOCKER_HOST": "tcp://nowhere:1"}, 0o022),
]


@pytest.mark.parametrize(("env", "umask"), SURROUNDINGS)
def test_a_clone_is_fresh_and_renders_the_same_bytes_wherever_it_is(
    site: Path, env: dict[str, str], umask: int
) -> None:
    (site / "mpigen.yaml").write_text(
        "name: x\nmpi: {params: {b: 1, a: größe}}\nworkers: [{stack: {environment: {A: ü}}}]\n"
    )
    mpigen = [sys.executable, "-m", "mpigen", "render"]
    subprocess.run(mpigen, cwd=site, check=True, capture_output=True)
    copy = clone(site)
    surroundings = {
        "cwd": "/",
        "env": {"PATH": os.environ["PATH"], **env},
        "umask": umask,
        "capture_output": True,
    }
    there = [*mpigen, "-c", copy / "mpigen.yaml"]
    done = subprocess.run([*there, "--check"], **surroundings)
    assert done.returncode == 0, done.stderr
    again = [*there, "-o", site / "again"]
    (site / "again/keys").mkdir(parents=True)
    for key in (copy / "output/keys").iterdir():
        (site / "again/keys" / key.name).write_bytes(key.read_bytes())
    done = subprocess.run(again, **surroundings)
    assert done.returncode == 0, done.stderr
    files = [path for path in (copy / "output").rglob("*") if path.is_file()]
    assert len(files) == 28
    for path in files:
        twin = site / "again" / path.relative_to(copy / "output")
        assert twin.read_bytes() == path.read_bytes()
        assert twin.stat().st_mode & 0o100 == path.stat().st_mode & 0o100
