"""The committed output/ is what mpigen renders for the reference site now."""

import subprocess
from pathlib import Path

from mpigen import site
from mpigen.artifacts.paths import HOST_KEY, USER_KEY
from mpigen.output import compare
from tests.conftest import ROOT

OUTPUT = ROOT / "output"
STALE = "output/ is stale: run `mpigen render` at the repository's root, and commit what it changes"


def test_output_is_not_stale() -> None:
    own = site.at([ROOT / "mpigen.yaml"], None)
    rendered = site.render_site(own)
    assert rendered.warnings == ()
    assert compare(rendered.files, OUTPUT) == [], STALE
    wanted = rendered.files
    assert committed() <= set(wanted), f"mpigen does not make these; {STALE}"


def committed() -> set[str]:
    """The files below output/ that git would take: all, but what output/.gitignore names."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "."]
    if not (ROOT / ".git").exists():
        return set()
    done = subprocess.run(command, cwd=OUTPUT, capture_output=True, text=True, check=True)
    return {path for path in done.stdout.splitlines() if (Path(OUTPUT) / path).exists()}


def test_git_has_no_private_key() -> None:
    if (ROOT / ".git").exists():
        names = (USER_KEY, HOST_KEY)
        command = ["git", "ls-files", *(f"**/{name}" for name in names)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout == ""
