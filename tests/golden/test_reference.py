"""The committed output/ is what mpigen renders for the reference site now."""

import subprocess
from pathlib import Path

import pytest

from mpigen import site
from mpigen.artifacts import manifest
from mpigen.artifacts.paths import HOST_KEY, USER_KEY
from mpigen.output.compare import compare
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


@pytest.mark.parametrize(
    "output",
    [OUTPUT, *sorted(ROOT.glob("examples/*/output"))],
    ids=lambda path: path.parent.name,
)
def test_the_programs_are_those_that_ship(output: Path) -> None:
    """What was reviewed in templates/ is what is in the image: byte by byte."""
    templates = manifest.read(output).templates
    copied = {path for path, name in templates.items() if name == f"builtin/{path}"}
    assert len(copied) >= 5
    shipped = {
        path.relative_to(ROOT / "templates").as_posix()
        for path in (ROOT / "templates").rglob("*")
        if path.is_file() and path.suffix != ".j2"
    }
    assert copied <= shipped
    programs = {
        path.relative_to(output).as_posix() for path in (output / "rootfs/usr").rglob("*")
    } & shipped
    assert programs == copied
    for path in copied:
        assert (output / path).read_bytes() == (ROOT / "templates" / path).read_bytes(), path
