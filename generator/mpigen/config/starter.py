"""A new site: the files of `mpigen init`, written all or nothing."""

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping
from importlib.resources import files as resources
from pathlib import Path
from typing import Literal

from mpigen import __version__
from mpigen.config.docs import Field, Section, entries, inline_yaml
from mpigen.config.document import NOTHING_WRITTEN
from mpigen.config.schema import schema_text
from mpigen.config.values import to_label
from mpigen.errors import InputError
from mpigen.untrusted.places import refuse_leading_out

Ci = Literal["github", "gitlab", "none"]

SCHEMA = "mpigen.schema.json"
CI_FILES = {"github": ".github/workflows/mpigen.yml", "gitlab": ".gitlab-ci.yml"}

_PROGRAM = ("app/Makefile", "app/hello.cpp")
# leaves room for the stack's service and network names, which start with this name
_NAME_LIMIT = 40

# the fields that a new site sets besides its name; all others are comments
_PRESET: dict[str, dict[str, object]] = {
    "app": {"source": "app", "check": "hello"},
    # one container per server, so that the ranks of a server share memory
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
    """Derive a cluster's name from the name of its folder."""
    return to_label(folder.resolve().name)[:_NAME_LIMIT].strip("-") or "mpi"


def new_site(name: str, ci: Ci, own_program: bool = False) -> dict[str, str]:
    """Return the files of a new site, path to text.

    With `own_program` app/ is left out, and mpigen.yaml does not name a program for the checks.
    """
    skeleton = resources(__package__).joinpath("skeleton")
    program = _bundled_app()
    made = {
        "mpigen.yaml": config_text(name, own_program),
        SCHEMA: schema_text(),
        ".gitignore": skeleton.joinpath("gitignore").read_text(encoding="utf-8"),
    }
    for path in () if own_program else _PROGRAM:
        made[path] = (program / Path(path).name).read_text(encoding="utf-8")
    if ci != "none":
        text = skeleton.joinpath(f"{ci}.yml").read_text(encoding="utf-8")
        made[CI_FILES[ci]] = text.replace("VERSION", __version__)
    return made


def _bundled_app() -> Path:
    """Return the reference site's app/: in the installed package, or in the repository."""
    installed = Path(__file__).parents[1] / "app"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "app"


def config_text(name: str, own_program: bool = False) -> str:
    """Return mpigen.yaml of a new site: every field with its description, most as comments."""
    lines = [_OPENING]
    for entry in entries():
        if isinstance(entry, Field):
            lines += _field(entry, {"name": name}.get(entry.name))
        else:
            lines += _section(entry, {"check"} if own_program and entry.name == "app" else set())
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def _section(section: Section, unset: Collection[str]) -> Iterator[str]:
    """Yield the lines of a section and its fields; a list gets one item.

    The fields in `unset` are comments, whatever a new site sets.
    """
    preset = {
        name: value for name, value in _PRESET.get(section.name, {}).items() if name not in unset
    }
    yield f"# {section.description}"
    yield f"{section.name}:" if preset else f"#{section.name}:"
    for number, field in enumerate(section.fields):
        dash = "- " if section.is_list and number == 0 else ""
        indent = "    " if section.is_list and number > 0 else "  "
        yield from _field(field, preset.get(field.name), indent, dash)


def _field(field: Field, preset: object, indent: str = "", dash: str = "") -> Iterator[str]:
    """Yield a field's description and value: its preset, or a comment with a possible value."""
    shown = field.default or next(iter(field.examples), field.default)
    example = " For example:" if shown != field.default else ""
    if preset is not None:
        yield f"{indent}# {field.description}"
        yield f"{indent}{dash}{field.name}: {inline_yaml(preset)}"
    else:
        yield f"{indent}# {field.description}{example}"
        yield f"{indent}#{dash}{field.name}: {inline_yaml(shown)}"


def present(folder: Path, ci: Ci) -> list[str]:
    """Return what a new site would write and the folder has: app/ as a whole, else files."""
    paths = ["mpigen.yaml", SCHEMA, ".gitignore", "app", *([CI_FILES[ci]] if ci != "none" else [])]
    return [path for path in paths if os.path.lexists(folder / path)]


def write(files: Mapping[str, str], folder: Path) -> None:
    """Write `files` to `folder`, all or nothing; on failure new folders are removed as well.

    Raises InputError if one of them already exists or cannot be written.
    """
    made: list[Path] = []
    try:
        for path, text in files.items():
            target = folder / path
            refuse_leading_out(target, folder)
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
        raise InputError(
            f"{where}: cannot be written: {error.strerror}", NOTHING_WRITTEN
        ) from error
