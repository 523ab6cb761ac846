"""The program that a folder holds, and how it is built: what `mpigen init` writes down.

Nothing of the project is run. What its files do not tell is left open, and a note says so.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mpigen.config import project_native, project_python
from mpigen.config.project_files import Files, Plan

_PLACES = (".", "app", "src")
_DEPTH = 4
_MOST = 5000
_SKIPPED = {"venv", "node_modules", "__pycache__", "CMakeFiles"}
# build systems that mpigen knows by name alone, and commands as they could be
_OTHERS = {
    "configure": ("an autoconf", './configure --bindir="$BINDIR" && make install'),
    "configure.ac": (
        "an autoconf",
        'autoreconf -i && ./configure --bindir="$BINDIR" && make install',
    ),
    "meson.build": (
        "a Meson",
        'meson setup /tmp/build --bindir="$BINDIR" && meson install -C /tmp/build',
    ),
    "fpm.toml": ("an fpm", 'fpm install --prefix /tmp/made && install /tmp/made/bin/* "$BINDIR"'),
    "Cargo.toml": ("a Cargo", 'cargo build --release && install target/release/NAME "$BINDIR"'),
}


@dataclass(frozen=True)
class Project:
    """A program in the folder `source`, relative to mpigen.yaml's, and how it is built."""

    source: str
    plan: Plan


def find(site: Path) -> Project | None:
    """Return the program in the folder `site`, in it or in its app/ or src/; None if there is none.

    An app/ in which nothing is recognised is taken for the program all the same.
    """
    found = {place: _files(site, place) for place in _PLACES if (site / place).is_dir()}
    for read in (project_python.packaged, project_native.described, project_python.listed):
        for place, files in found.items():
            if plan := read(files):
                return Project(place, plan)
    for place in ("app", "."):
        files = found.get(place, Files(site, site, ()))
        if plan := project_native.bare(files) or project_python.bare(files) or _other(files):
            return Project(place, plan)
    for place, files in found.items():
        if plan := project_native.made(files):
            return Project(place, plan)
    if "app" in found:
        example = 'make && install NAME "$BINDIR"'
        return Project("app", Plan("no sources that mpigen knows", example=example))
    return None


def _other(files: Files) -> Plan | None:
    """A project whose build mpigen does not know."""
    known = next((name for name in _OTHERS if name in files.names), "")
    if known:
        system, example = _OTHERS[known]
        return Plan(f"{system} project ({known})", example=example)
    if files.sources:
        return Plan(f"sources such as {files.sources[0]}", example=project_native.example(files))
    return None


def _files(site: Path, place: str) -> Files:
    """The project's files, as far as they are few and not too deep.

    Hidden files and those of tests are left out.
    """
    root = site / place
    names = tuple(sorted(_walk(root)))
    return Files(root, site, names)


def _walk(root: Path) -> Iterator[str]:
    seen = 0
    for where, folders, names in os.walk(root):
        here = Path(where).relative_to(root)
        rendered = {"manifest.json", "stack.yml"} <= set(names)
        folders[:] = sorted(
            each
            for each in folders
            if not each.startswith((".", "test"))
            and each not in _SKIPPED
            and len(here.parts) < _DEPTH
            and not rendered
        )
        for name in () if rendered else names:
            # other names would need care in a shell, and in YAML
            known = re.fullmatch(r"[A-Za-z0-9_+.][\w+.-]*", name, re.ASCII)
            if known and not (Path(where) / name).is_symlink():
                yield (here / name).as_posix()
            seen += 1
            if seen > _MOST:
                return
