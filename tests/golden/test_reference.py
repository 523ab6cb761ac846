"""The committed output/ is what mpigen renders for the reference site now."""

import os
import subprocess
from pathlib import Path

from mpigen import keys
from mpigen.cluster import plan
from mpigen.load import load
from mpigen.output import with_manifest
from mpigen.render import render
from mpigen.templates import Templates
from tests.conftest import ROOT

OUTPUT = ROOT / "output"
STALE = "output/ is stale: run `mpigen render` at the repository's root, and commit what it changes"


def test_output_is_not_stale() -> None:
    own = keys.ensure(OUTPUT)
    assert (OUTPUT / "keys" / "id_ed25519.pub").is_file(), STALE
    rendered = render(plan(load(ROOT / "mpigen.yaml")), own.public, Templates(ROOT / "templates"))
    wanted = with_manifest(rendered)
    stale = [
        path
        for path, file in wanted.items()
        if not (OUTPUT / path).is_file()
        or (OUTPUT / path).read_bytes() != file.text.encode()
        or os.access(OUTPUT / path, os.X_OK) != bool(file.mode & 0o100)
    ]
    assert not stale, STALE
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
        names = (keys.USER_KEY, keys.HOST_KEY)
        command = ["git", "ls-files", *(f"**/{name}" for name in names)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout == ""
