"""From a project as people have it to its ranks on a lab, by the commands that mpigen names."""

import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests.projects import PROJECTS
from tests.swarm.conftest import TRUSTED, Done, call, own_lab

# six images, with CMake, gfortran and Python
pytestmark = pytest.mark.long

NAME = own_lab("init") + "-p"
CONTEXT = f"mpigen-{NAME}"
# how the lab is found: by itself, by the variable, or by the user's file
WAYS = {"make": "variable", "cmake": "file"}


@pytest.fixture(scope="module")
def state() -> Iterator[dict[str, str]]:
    """A lab of two nodes that is the only one of its user, as far as mpigen sees."""
    folder = tempfile.mkdtemp(prefix="mi-")  # short: sockets lie in it
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", folder)
        base.ensure(engine.local(), "debian:trixie-slim", print)
        lab.down(NAME, print)
        try:
            lab.up(NAME, 2, print)
            yield {"XDG_STATE_HOME": folder}
        finally:
            lab.down(NAME, print)
            shutil.rmtree(folder, ignore_errors=True)


def _run(folder: Path, command: str, env: dict[str, str]) -> Done:
    """Run a command that begins with mpigen, as it was printed, in a folder."""
    words = [sys.executable, "-m", *shlex.split(command)]
    return call("env", "-C", folder, *words, env=env, timeout=900)


def _next(done: Done) -> str:
    assert done.code == 0, done.out + done.err
    (command,) = re.findall(r"^next: (.*)$", done.out, re.M)
    return str(command)


@pytest.mark.parametrize("kind", PROJECTS)
def test_a_project_runs_by_the_commands_that_are_named(
    kind: str, state: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    PROJECTS[kind].write(folder)
    way = WAYS.get(kind, "")
    env = {**state, **({"MPIGEN_CONTEXT": CONTEXT} if way == "variable" else {})}
    if way == "file":
        (folder / ".mpigen-context").write_text(f"{CONTEXT}\n")
    named = "" if way else f" --context {CONTEXT}"
    render = _next(_run(folder, "mpigen init", env))
    assert render == "mpigen render"
    build = _next(_run(folder, render, env))
    assert build == "mpigen build"
    built = _run(folder, build, env)
    if "image.ca" in built.err and TRUSTED.exists():
        # as the error says, of a network whose proxy opens TLS connections
        shutil.copy(TRUSTED, folder / "ca.pem")
        text = (folder / "mpigen.yaml").read_text()
        text = text.replace("\n#image:\n", "\nimage:\n").replace("\n  #ca: ", "\n  ca: ")
        (folder / "mpigen.yaml").write_text(text)
        built = _run(folder, _next(_run(folder, render, env)), env)
    deploy = _next(built)
    assert deploy == f"mpigen deploy{named}"
    assert "node-2 has project:sha-" in built.err
    run = _next(_run(folder, deploy, env))
    assert run == f"mpigen run{named} -- hostname"
    done = _run(folder, run.replace("hostname", PROJECTS[kind].program), env)
    assert done.code == 0, done.out + done.err
    ranks = re.findall(r"(?:rank|Rank:) (\d)", done.out)
    assert sorted(ranks) == list("0123"), done.out


def test_a_verb_without_a_context_names_the_labs(state: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mpigen.yaml").write_text("name: project\n")
    assert _run(tmp_path, "mpigen render", state).code == 0
    info = call("docker", "info", "--format", "{{.Swarm.LocalNodeState}}").out
    if info.strip() != "inactive" or os.environ.get("DOCKER_HOST"):
        pytest.skip("this machine's own engine is in a Swarm")
    for command in ("status", "deploy", "run -- true", "verify", "scale worker=1", "down"):
        done = _run(tmp_path, f"mpigen {command}", state)
        assert (done.code, f"--context {CONTEXT}" in done.err) == (3, True), (command, done)
    for command in ("jobs", "logs x", "wait x", "cancel x"):
        assert f"--context {CONTEXT}" in _run(tmp_path, f"mpigen {command}", state).err, command


def test_without_any_swarm_a_build_names_the_way_to_one(
    state: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "mpigen.yaml").write_text("name: project\n")
    assert _run(tmp_path, "mpigen render", state).code == 0
    nothing = {"XDG_STATE_HOME": str(tmp_path)}
    done = _run(tmp_path, "mpigen build", nothing)
    if "which is not part of a Swarm" not in done.out:
        pytest.skip("this machine's own engine is in a Swarm")
    assert "\nnext: mpigen lab up && mpigen build, for a Swarm on this machine\n" in done.out
