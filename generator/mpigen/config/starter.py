"""A new site: the files of `mpigen init`, written all or nothing."""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files as resources
from pathlib import Path
from typing import Literal

from mpigen import __version__
from mpigen.config.docs import Field, Section, entries, inline_yaml
from mpigen.config.document import NOTHING_WRITTEN
from mpigen.config.project import Project
from mpigen.config.schema import schema_text
from mpigen.config.values import to_label
from mpigen.errors import InputError
from mpigen.untrusted.places import refuse_leading_out
from mpigen.untrusted.reading import MEBIBYTE, read_bytes

Ci = Literal["github", "gitlab", "none"]

SCHEMA = "mpigen.schema.json"
CI_FILES = {"github": ".github/workflows/mpigen.yml", "gitlab": ".gitlab-ci.yml"}

_PROGRAM = ("app/Makefile", "app/hello.cpp")
# leaves room for the stack's service and network names, which start with this name
_NAME_LIMIT = 40

_Preset = dict[str, dict[str, object]]
# the fields that a new site sets besides its name; all others are comments
_PRESET: _Preset = {
    "app": {"source": "app", "check": "hello"},
    # one container per server, so that the ranks of a server share memory
    "workers": {"name": "worker", "cpus": 2, "max_per_node": 1},
}

_OPENING = f"""\
# yaml-language-server: $schema={SCHEMA}
# One MPI cluster: `mpigen render` makes the Docker artifacts in output/ from this file.
#
# Every field is here. A comment shows the default of a field, or an example if it has none. To set
# a field, remove the # before it, and before its section and its list item.
"""


def site_name(folder: Path) -> str:
    """Derive a cluster's name from the name of its folder."""
    return to_label(folder.resolve().name)[:_NAME_LIMIT].strip("-") or "mpi"


def new_site(name: str, ci: Ci, project: Project | None = None) -> dict[str, str]:
    """Return the files of a new site, path to text.

    With a `project`, which the folder has, mpigen.yaml is for that, and app/ is left out.
    """
    skeleton = resources(__package__).joinpath("skeleton")
    program = _bundled_app()
    made = {
        "mpigen.yaml": config_text(name, project),
        SCHEMA: schema_text(),
        ".gitignore": skeleton.joinpath("gitignore").read_text(encoding="utf-8"),
    }
    for path in () if project else _PROGRAM:
        made[path] = (program / Path(path).name).read_text(encoding="utf-8")
    if ci != "none":
        text = skeleton.joinpath(f"{ci}.yml").read_text(encoding="utf-8")
        made[CI_FILES[ci]] = text.replace("VERSION", __version__)
    return made


def _bundled_app() -> Path:
    """Return the reference site's app/: in the installed package, or in the repository."""
    installed = Path(__file__).parents[1] / "app"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "app"


def config_text(name: str, project: Project | None = None) -> str:
    """Return mpigen.yaml of a new site: every field with its description, most as comments."""
    preset = _preset(project) if project else _PRESET
    lines = [_OPENING]
    for entry in entries():
        if isinstance(entry, Field):
            lines += _field(entry, {"name": name}.get(entry.name))
        else:
            lines += _section(entry, preset.get(entry.name, {}))
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def line_of(text: str, section: str, field: str) -> int:
    """Return the number of the line of a field in mpigen.yaml, from 1, if it is a comment too."""
    lines = text.splitlines()
    first = next(n for n, line in enumerate(lines) if re.fullmatch(f"#?{section}:.*", line))
    return next(
        n for n, line in enumerate(lines, 1) if n > first and re.match(f" +#?{field}:", line)
    )


def _preset(project: Project) -> _Preset:
    """The fields that a site with this program sets."""
    plan = project.plan
    app: dict[str, object] = {"source": project.source}
    app |= {"build": plan.build} if plan.build else {}
    app |= {"python": plan.python} if plan.python else {}
    image: dict[str, object] = {}
    # lists that must be filled in are no comments, even if they are empty
    if plan.packages or plan.libraries:
        image["packages"] = sorted(plan.packages)
    if plan.build_packages or plan.libraries or plan.example:
        image["build_packages"] = sorted(plan.build_packages)
    return {"app": app, "image": image, "workers": _PRESET["workers"]}


def _section(section: Section, preset: Mapping[str, object]) -> Iterator[str]:
    """Yield the lines of a section and its fields; a list gets one item.

    The fields in `preset` get that value, all others are comments.
    """
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


def is_repository(folder: Path) -> bool:
    """Whether a folder is the root of a git repository, or of a worktree of one."""
    return os.path.lexists(folder / ".git")


def holds_anything(folder: Path) -> bool:
    """Whether a folder has files that are not hidden."""
    with contextlib.suppress(OSError):
        return any(not each.name.startswith(".") for each in folder.iterdir())
    return False


def present(files: Mapping[str, str], folder: Path) -> list[str]:
    """Return the paths of `files` that the folder has."""
    return [path for path in files if os.path.lexists(folder / path)]


def not_ignored(folder: Path) -> list[str]:
    """Return the lines that the folder's own .gitignore lacks; output/ has one for the keys."""
    try:
        text = read_bytes(folder / ".gitignore", MEBIBYTE, folder).decode("utf-8", "replace")
    except (InputError, FileNotFoundError, NotADirectoryError):  # a link, or not for reading
        text = ""
    return [line for line in (".mpigen*", "report.html", "report.json") if line not in text.split()]


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
