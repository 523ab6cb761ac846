"""Completion: what is known, quickly; and nothing, silently, where nothing is known."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mpigen.cli import complete
from tests.conftest import Mpigen

SITE = """\
name: x
workers: [{name: cpu, replicas: 2}, {name: card, replicas: 1}, {name: every, mode: global}]
"""


@pytest.fixture
def site(tmp_path: Path, mpigen: Mpigen) -> Path:
    (tmp_path / "mpigen.yaml").write_text(SITE)
    done = mpigen("render", "-c", tmp_path / "mpigen.yaml")
    assert done.code == 0, done.err
    return tmp_path


def completed(folder: Path, line: str, **env: str) -> list[str]:
    """What bash would get for the last word of a line; it ends well and says nothing else."""
    words = line.split(" ")
    done = subprocess.run(
        [Path(sys.executable).parent / "mpigen"],
        cwd=folder,
        env={
            **os.environ,
            "DOCKER_HOST": "unix:///nonexistent",
            "_MPIGEN_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            **env,
        },
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("mpigen de", ["deploy"]),
        ("mpigen keys ro", ["rotate"]),
        ("mpigen run --workers ", ["cpu", "card", "every"]),
        ("mpigen bench -w c", ["cpu", "card"]),
        ("mpigen run -o output -w cp", ["cpu"]),
        # one with a container on every server cannot be scaled
        ("mpigen scale ", ["cpu=", "card="]),
        # there is no engine
        ("mpigen cancel ", []),
        ("mpigen deploy --dry", ["--dry-run"]),
    ],
)
def test_what_the_rendered_folder_knows(site: Path, line: str, found: list[str]) -> None:
    assert completed(site, line) == found


def test_a_folder_that_is_not_rendered_completes_nothing(tmp_path: Path) -> None:
    assert completed(tmp_path, "mpigen run --workers ") == []
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "manifest.json").write_text("{")
    assert completed(tmp_path, "mpigen run --workers ") == []


def test_contexts_and_labs_are_dockers_own(tmp_path: Path) -> None:
    for name in ("mpigen-lab", "cluster"):
        folder = tmp_path / "contexts" / "meta" / name
        folder.mkdir(parents=True)
        (folder / "meta.json").write_text(json.dumps({"Name": name}))
    config = {"DOCKER_CONFIG": str(tmp_path)}
    found = completed(tmp_path, "mpigen deploy --context ", **config)
    assert found == ["default", "cluster", "mpigen-lab"]
    assert completed(tmp_path, "mpigen build --lab ", **config) == ["lab"]
    assert completed(tmp_path, "mpigen lab down --name ", **config) == ["lab"]


def test_a_silent_engine_is_not_waited_for(site: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "d.sock"))
        listener.listen()
        begin = time.monotonic()
        found = completed(site, "mpigen logs ", DOCKER_HOST=f"unix://{tmp_path}/d.sock")
        assert found == []
        # and what loads it, on a busy machine
        assert time.monotonic() - begin < complete.SECONDS + 5


def test_hosts_are_as_rendered_where_no_engine_answers(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    ctx = SimpleNamespace(params={"output": site / "output"})
    assert complete.hosts(ctx, "c") == ["cpu-1", "cpu-2", "card-1"]  # type: ignore[arg-type]


def test_groups_are_completed_without_docker_and_the_renderer(site: Path) -> None:
    program = """
import sys
sys.argv = ["mpigen"]
try:
    from mpigen.__main__ import main
    main()
finally:
    print("loaded:", *sorted({"docker", "jinja2", "pydantic"} & sys.modules.keys()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=site,
        env={
            **os.environ,
            "_MPIGEN_COMPLETE": "complete_bash",
            "COMP_WORDS": "mpigen run -w ",
            "COMP_CWORD": "3",
        },
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == ["cpu", "card", "every", "loaded:"]


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_one_line_installs_it_in_bash(site: Path) -> None:
    bin = str(Path(sys.executable).parent)
    env = {**os.environ, "HOME": str(site), "PATH": f"{bin}:{os.environ['PATH']}"}
    installed = subprocess.run(
        ["bash", "-c", "mpigen --install-completion; exit $?"],
        env=env,
        capture_output=True,
        text=True,
    )
    assert installed.returncode == 0, installed.stderr
    asked = """
        . ~/.bashrc
        complete -p mpigen >&2 || exit 1
        COMP_WORDS=(mpigen run -w c) COMP_CWORD=3
        _mpigen_completion mpigen
        echo "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", asked], cwd=site, env=env, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "cpu card\n"), done.stderr
