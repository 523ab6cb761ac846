"""What pre-commit, GitHub and GitLab are told to run: it is read from the files, and run."""

import re
import shlex
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


def ci_text(ci: starter.Ci) -> str:
    return starter.new_site("x", ci)[starter.CI_FILES[ci]]


def github_steps() -> list[dict[str, Any]]:
    (job,) = yaml.safe_load(ci_text("github"))["jobs"].values()
    assert job["env"] == {"MPIGEN": f"mpigen=={__version__}"}
    steps: list[dict[str, Any]] = job["steps"]
    return steps


def gitlab_script() -> list[str]:
    (job,) = yaml.safe_load(ci_text("gitlab")).values()
    assert job["variables"] == {"MPIGEN": f"mpigen=={__version__}"}
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


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_mpigen_is_installed_before_it_runs(ci: str) -> None:
    assert COMMANDS[ci] == ['pip install "$MPIGEN"', "mpigen render --check"]


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
    assert f"`mpigen=={__version__}`" in TEXT
