"""What pre-commit, GitHub and GitLab are told to run: it is read from the files, and run."""

import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from mpigen import __version__
from mpigen.config import starter
from tests.conftest import ROOT, Mpigen, snapshot

TEXT = (ROOT / "docs" / "committing.md").read_text(encoding="utf-8")
DOCUMENTED = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
HOOKS: list[dict[str, Any]] = yaml.safe_load(
    (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
)
(HOOK,) = HOOKS
WHEEL = f"ci/mpigen-{__version__}-py3-none-any.whl"


def ci_text(ci: starter.Ci) -> str:
    return starter.new_site("x", ci)[starter.CI_FILES[ci]]


def github_steps() -> list[dict[str, Any]]:
    (job,) = yaml.safe_load(ci_text("github"))["jobs"].values()
    assert job["env"] == {"MPIGEN": WHEEL}
    steps: list[dict[str, Any]] = job["steps"]
    return steps


def gitlab_script() -> list[str]:
    (job,) = yaml.safe_load(ci_text("gitlab")).values()
    assert job["variables"] == {"MPIGEN": WHEEL}
    script: list[str] = job["script"]
    return script


COMMANDS = {
    "github": [step["run"] for step in github_steps() if "run" in step],
    "gitlab": gitlab_script(),
    "pre-commit": [HOOK["entry"]],
}


def test_github_checks_out_and_has_a_python_that_mpigen_takes() -> None:
    uses = [step["uses"].partition("@")[0] for step in github_steps() if "uses" in step]
    assert uses == ["actions/checkout", "actions/setup-python"]
    # YAML 1.1 reads the key `on` as true
    assert yaml.safe_load(ci_text("github"))[True] == ["push", "pull_request"]


@pytest.fixture
def wheel(tmp_path: Path) -> None:
    """A wheel of mpigen's name and version, with nothing but a module in it."""
    path = tmp_path / WHEEL
    path.parent.mkdir()
    info = f"mpigen-{__version__}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("the_wheel.py", "")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: mpigen\nVersion: {__version__}\n"
        )
        archive.writestr(f"{info}/RECORD", "")


def install(ci: str, folder: Path, named: str) -> subprocess.CompletedProcess[str]:
    """Run the step that installs mpigen, with the real pip, into `folder`/site."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "pip").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pip "$@"\n')
    (folder / "bin" / "pip").chmod(0o755)
    return subprocess.run(
        ["sh", "-e", "-c", COMMANDS[ci][0]],
        cwd=folder,
        env={
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "MPIGEN": named,
            "PIP_TARGET": str(folder / "site"),
            "PIP_NO_DEPS": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            # an index in which somebody has taken the name
            "PIP_INDEX_URL": (folder / "index").as_uri(),
        },
        capture_output=True,
        text=True,
    )


@pytest.mark.usefixtures("wheel")
@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_ci_installs_the_wheel_that_the_site_names(ci: str, tmp_path: Path) -> None:
    assert COMMANDS[ci][1:] == ["mpigen render --check"]
    done = install(ci, tmp_path, WHEEL)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "the_wheel.py").exists()


@pytest.mark.parametrize("ci", ["github", "gitlab"])
@pytest.mark.parametrize("named", [WHEEL, "mpigen", f"mpigen=={__version__}", ""])
def test_ci_never_installs_what_has_that_name_in_an_index(
    ci: str, named: str, tmp_path: Path
) -> None:
    taken = tmp_path / "index" / "mpigen"
    taken.mkdir(parents=True)
    (taken / "index.html").write_text("<a href='mpigen-9.tar.gz'>mpigen-9.tar.gz</a>")
    done = install(ci, tmp_path, named)
    assert done.returncode == 1
    assert "MPIGEN must name mpigen's wheel or checkout" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("where", COMMANDS)
def test_the_command_passes_on_a_fresh_render_and_fails_on_a_stale_one(
    where: str, mpigen: Mpigen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mpigen("init", "--ci", "none")
    mpigen("render")
    for private in (tmp_path / "output" / "keys").glob("*key"):
        private.unlink()
    (command,) = [words for words in COMMANDS[where] if words.startswith("mpigen ")]
    words = shlex.split(command)[1:]
    before = snapshot(tmp_path)
    done = mpigen(*words)
    assert done.code == 0, done.err
    with (tmp_path / "mpigen.yaml").open("a") as file:
        file.write("ssh: {port: 2223}\n")
    assert mpigen(*words).code == 1
    assert snapshot(tmp_path / "output") == {
        path.removeprefix("output/"): what
        for path, what in before.items()
        if path.startswith("output/")
    }


def test_the_hook_is_installed_by_pip_and_given_no_file_names() -> None:
    assert (HOOK["id"], HOOK["language"], HOOK["pass_filenames"]) == (
        "mpigen-check",
        "python",
        False,
    )
    scripts = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'\n{shlex.split(HOOK["entry"])[0]} = "mpigen.__main__:main"\n' in scripts


@pytest.mark.parametrize(
    ("path", "concerned"),
    [
        ("mpigen.yaml", True),
        ("cluster/production.yml", True),
        ("templates/Dockerfile.j2", True),
        ("output/scripts/run.sh", True),
        ("cluster/output/.dockerignore", True),
        ("app/hello.cpp", False),
        ("README.md", False),
        ("src/output.cpp", False),
    ],
)
def test_the_hook_runs_for_what_a_render_reads_or_writes(path: str, concerned: bool) -> None:
    assert bool(re.search(HOOK["files"], path)) == concerned


def test_the_documentation_shows_what_init_writes_and_the_hook_that_there_is() -> None:
    pre_commit, github, gitlab = DOCUMENTED
    assert github == ci_text("github")
    assert gitlab == ci_text("gitlab")
    (repo,) = yaml.safe_load(pre_commit)["repos"]
    assert repo["rev"] == f"v{__version__}"
    assert [hook["id"] for hook in repo["hooks"]] == [HOOK["id"]]
    assert f"`{WHEEL}`" in TEXT
