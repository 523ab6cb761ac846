"""A new site: the files that `mpigen init` writes, and the writing, all of them or none."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files as resources
from pathlib import Path
from typing import Literal

from mpigen import __version__
from mpigen.config.docs import Field, Section, entries, written
from mpigen.config.document import HINT
from mpigen.config.schema import schema_text
from mpigen.config.values import near_label
from mpigen.errors import InputError

Ci = Literal["github", "gitlab", "none"]

SCHEMA = "mpigen.schema.json"
CI_FILES = {"github": ".github/workflows/mpigen.yml", "gitlab": ".gitlab-ci.yml"}

_PROGRAM = ("app/Makefile", "app/hello.cpp")
# the longest name that leaves room for those of a stack's services and networks
_NAME_LIMIT = 40

# what a new site says beside its name; all else is a comment
_SAID: dict[str, dict[str, object]] = {
    "app": {"source": "app", "check": "hello"},
    # one container a server, whose ranks share its memory
    "workers": {"name": "worker", "cpus": 2, "max_per_node": 1},
}

_OPENING = f"""\
# yaml-language-server: $schema={SCHEMA}
# One MPI cluster: `mpigen render` makes the Docker artifacts in output/ of this file.
#
# Every field is here. Behind a # is its default, or an example where that is nothing. To set one,
# take away the # before it, and before the section and the list item that it stands in.
"""


def site_name(folder: Path) -> str:
    """A cluster's name after its folder's."""
    return near_label(folder.resolve().name)[:_NAME_LIMIT].strip("-") or "mpi"


def new_site(name: str, ci: Ci) -> dict[str, str]:
    """The files of a new site, path to text."""
    skeleton = resources(__package__).joinpath("skeleton")
    program = _carried_app()
    made = {
        "mpigen.yaml": config_text(name),
        SCHEMA: schema_text(),
        ".gitignore": skeleton.joinpath("gitignore").read_text(encoding="utf-8"),
        **{path: (program / Path(path).name).read_text(encoding="utf-8") for path in _PROGRAM},
    }
    if ci != "none":
        text = skeleton.joinpath(f"{ci}.yml").read_text(encoding="utf-8")
        made[CI_FILES[ci]] = text.replace("==VERSION", f"=={__version__}")
    return made


def _carried_app() -> Path:
    """The program of the reference site: inside the installed package, or beside it."""
    installed = Path(__file__).parents[1] / "app"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "app"


def config_text(name: str) -> str:
    """mpigen.yaml of a new site: every field with a line on it, all but a few as comments."""
    lines = [_OPENING]
    for entry in entries():
        if isinstance(entry, Field):
            lines += _field(entry, {"name": name}.get(entry.name))
        else:
            lines += _section(entry)
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def _section(section: Section) -> Iterator[str]:
    """A section with its fields; that of a list has one item."""
    said = _SAID.get(section.name, {})
    yield f"# {section.description}"
    yield f"{section.name}:" if said else f"#{section.name}:"
    for number, field in enumerate(section.fields):
        dash = "- " if section.is_list and number == 0 else ""
        indent = "    " if section.is_list and number > 0 else "  "
        yield from _field(field, said.get(field.name), indent, dash)


def _field(field: Field, said: object, indent: str = "", dash: str = "") -> Iterator[str]:
    """What a field is, and the field: what it says, or as a comment what it could."""
    shown = field.default or next(iter(field.examples), field.default)
    example = " For example:" if shown != field.default else ""
    if said is not None:
        yield f"{indent}# {field.description}"
        yield f"{indent}{dash}{field.name}: {written(said)}"
    else:
        yield f"{indent}# {field.description}{example}"
        yield f"{indent}#{dash}{field.name}: {written(shown)}"


def write(files: Mapping[str, str], folder: Path) -> None:
    """Write `files` to `folder`: all of them, or none and no folder either.

    Raises InputError where one of them is there already (app/ counts as a whole), or one cannot be
    written.
    """
    claimed = dict.fromkeys("app" if path in _PROGRAM else path for path in files)
    made: list[Path] = []
    try:
        _refuse([path for path in claimed if os.path.lexists(folder / path)], folder)
        for path, text in files.items():
            target = folder / path
            for parent in reversed([each for each in target.parents if not each.exists()]):
                parent.mkdir()
                made.append(parent)
            with target.open("x", encoding="utf-8", newline="") as file:
                made.append(target)
                file.write(text)
    except BaseException as error:
        for each in reversed(made):
            with contextlib.suppress(OSError):
                each.rmdir() if each.is_dir() else each.unlink()
        if not isinstance(error, OSError):
            raise
        where = error.filename or folder
        raise InputError(f"{where}: cannot be written: {error.strerror}", HINT) from error


def _refuse(taken: Sequence[str], folder: Path) -> None:
    if taken:
        named = "\n".join(f"  {folder / path}" for path in taken)
        hint = f"{HINT} Take another folder, or move these away: mpigen init DIR"
        raise InputError(f"a new site would take the place of what is there:\n{named}", hint)
