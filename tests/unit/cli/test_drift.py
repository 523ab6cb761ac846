"""`mpigen render --check` and `--diff`: what is not as a render would write it, anywhere."""

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mpigen.output.lock import read_lock, write_lock
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
    assert (done.code, done.out, done.err) == (0, "x: output is up to date, 33 files\n", "")
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
        "     mode  output/scripts/run.sh (should be executable)",
        "  changed  output/rootfs/etc/mpi/sshd_config",
        "    extra  output/notes.md",
    ):
        assert line in done.err.splitlines()
    assert "Run `mpigen render` and commit the result" in done.err
    assert snapshot(site) == before
    assert mpigen("render").code == 0
    assert mpigen("render", "--check").code == 0


def test_a_mode_that_differs_beside_the_text_is_told(site: Path, mpigen: Mpigen) -> None:
    script = site / "output/scripts/run.sh"
    script.write_text("mine\n")
    script.chmod(0o644)
    done = mpigen("render", "--check")
    line = "  changed  output/scripts/run.sh (edited by hand, should be executable)"
    assert line in done.err.splitlines()
    (change,) = json.loads(mpigen("render", "--check", "--json").out)["changes"]
    assert change == {
        "path": "scripts/run.sh",
        "kind": "changed",
        "edited": True,
        "mode": True,
        "endings": False,
    }


def test_a_check_waits_until_a_render_is_over(site: Path) -> None:
    command = [sys.executable, "-m", "mpigen", "render", "--check"]
    with contextlib.ExitStack() as rendering:
        rendering.enter_context(write_lock(site / "output", print))
        (site / "output/stack.yml").rename(site / "away")
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr
            assert process.stderr.readline() == f"waiting for another render in {site}\n"
            (site / "away").rename(site / "output/stack.yml")
            rendering.close()
    assert process.returncode == 0


def test_checks_do_not_wait_for_one_another(site: Path) -> None:
    with read_lock(site / "output", pytest.fail), read_lock(site / "output", pytest.fail):
        pass


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
    assert done.err.endswith(
        "For files edited by hand you have three options:\n"
        "  move the edit into the site's templates:\n"
        "    mpigen templates eject stack.yml   (makes templates/stack.yml.j2)\n"
        "  overwrite it: mpigen render --force\n"
        "  restore the version in git: git checkout -- output/stack.yml\n"
    )
    assert snapshot(site) == before


def test_the_ways_out_name_every_file_and_this_site(site: Path, mpigen: Mpigen) -> None:
    done = mpigen("render", "-c", site / "mpigen.yaml", "-o", "other place")
    assert done.code == 0
    for path in ("notes.md", "stack.yml"):
        (site / "other place" / path).write_text("mine\n")
    done = mpigen("render", "-c", site / "mpigen.yaml", "-o", "other place")
    assert done.code == 1
    for way in (
        f"    edit {site}/templates/notes.md.j2\n",
        f"    mpigen templates eject -c {site}/mpigen.yaml stack.yml   "
        f"(makes {site}/templates/stack.yml.j2)\n",
        f"  overwrite it: mpigen render -c {site}/mpigen.yaml -o 'other place' --force\n",
        "git checkout -- 'other place/notes.md' 'other place/stack.yml'\n",
    ):
        assert way in done.err


@pytest.mark.parametrize(
    "words", [("--force", "--check"), ("--force", "--diff"), ("--diff", "--json")]
)
def test_options_that_exclude_each_other_are_refused(
    site: Path, mpigen: Mpigen, words: tuple[str, str]
) -> None:
    before = snapshot(site)
    done = mpigen("render", *words)
    assert (done.code, done.out) == (2, "")
    assert all(word in done.err for word in words)
    assert snapshot(site) == before


def test_a_diff_is_coloured_on_a_terminal_alone(site: Path) -> None:
    with (site / "output/stack.yml").open("a") as file:
        file.write("-- mine\n")
    command = [sys.executable, "-m", "mpigen", "render", "--diff"]
    plain = subprocess.run(command, cwd=site, capture_output=True, text=True, check=True)
    assert "\x1b" not in plain.stdout
    terminal = ["script", "-qec", shlex.join(command), "/dev/null"]
    for more, colours in (({}, True), ({"NO_COLOR": "1"}, False)):
        shown = subprocess.run(
            terminal, cwd=site, env={**os.environ, "TERM": "xterm", **more}, capture_output=True
        ).stdout.decode()
        assert ("\x1b[31m--- mine" in shown) == colours
        assert ("\x1b" in shown) == colours


def test_a_diff_of_new_keys_says_that_they_are_not_kept(site: Path, mpigen: Mpigen) -> None:
    shutil.rmtree(site / "output/keys")
    done = mpigen("render", "--diff")
    assert done.code == 0
    assert done.err == "note: render makes new keys; the keys in this diff are discarded\n"


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
        {"path": "README.md", "kind": "changed", "edited": True, "mode": False, "endings": False},
        {"path": "stack.yml", "kind": "missing", "edited": False, "mode": False, "endings": False},
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


@pytest.mark.parametrize(
    ("workers", "warns"),
    [
        ("slots: 8, shm: 127m", "worker: 127m of /dev/shm is small for 8 slots: "),
        ("slots: 8, shm: 128m", ""),
        ("slots: 64, memory: 1g", "worker: 512m of /dev/shm is small for 64 slots: "),
        ("slots: 64", ""),
        ("slots: 1, shm: 1m", ""),
    ],
)
def test_a_dev_shm_in_which_ranks_may_find_no_room_is_warned_of(
    site: Path, mpigen: Mpigen, workers: str, warns: str
) -> None:
    (site / "mpigen.yaml").write_text(f"name: x\nworkers: [{{{workers}}}]\n")
    done = mpigen("validate")
    assert (done.code, bool(done.err)) == (0, bool(warns))
    assert done.err.startswith(f"warning: {warns}" if warns else "")


def test_before_the_first_render_the_check_says_so_and_makes_no_keys(
    tmp_path: Path, mpigen: Mpigen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mpigen.yaml").write_text(TEXT)
    done = mpigen("render", "--check")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "error: nothing has been rendered to output yet\n"
        "Run `mpigen render`, and commit the result.\n"
    )
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
        "env": {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **env},
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
    assert len(files) == 33
    for path in files:
        twin = site / "again" / path.relative_to(copy / "output")
        assert twin.read_bytes() == path.read_bytes()
        assert twin.stat().st_mode & 0o100 == path.stat().st_mode & 0o100
