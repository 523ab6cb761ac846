"""One way for a value to get into an artifact: quoted by the kind of file that it lands in.

Jinja's autoescaping, made for HTML, does it: whatever `{{ ... }}` prints is passed through the
quoting of the template's kind, and only what a template marks with one of FILTERS, as in `| text`,
is quoted by that instead. So a template writes `image: {{ cluster.tag }}` with no quotes around it,
and no value can end its line, its string or its word.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from markupsafe import Markup

Quote = Callable[[object], Markup]


def sh(value: object) -> Markup:
    """A word of POSIX shell; a list gives a word each."""
    if isinstance(value, (list, tuple)):
        return Markup(" ".join(sh(item) for item in value))
    return Markup(shlex.quote(_given(value)))


def sh_inside(value: object) -> Markup:
    """Text inside the double quotes of a shell script, in one line."""
    return Markup(re.sub(r'([\\"$`])', r"\\\1", _line(value)))


def yaml(value: object) -> Markup:
    """A YAML value in one line (JSON is YAML), `$` doubled as `docker stack deploy` wants it."""
    return Markup(str(json_text(value)).replace("$", "$$"))


def json_text(value: object) -> Markup:
    """A JSON value in one line."""
    return Markup(json.dumps(_plain(value), ensure_ascii=False))


def dockerfile(value: object) -> Markup:
    """A word of a Dockerfile instruction such as ENV, COPY or FROM."""
    text = _line(value)
    if re.fullmatch(r"[A-Za-z0-9@%_+=:,./-]+", text):
        return Markup(text)
    return Markup('"' + re.sub(r'([\\"$])', r"\\\1", text) + '"')


def python(value: object) -> Markup:
    """A Python literal."""
    return Markup(ascii(_plain(value)))


def perl(value: object) -> Markup:
    """A string literal of Perl, in one line."""
    return Markup("'" + re.sub(r"([\\'])", r"\\\1", _line(value)) + "'")


def text(value: object) -> Markup:
    """The value itself, for a comment, a document or a file of lines: refused if it has several."""
    return Markup(_line(value))


def _given(value: object) -> str:
    if value is None:
        raise ValueError("there is no value for this: put it in {% if %}")
    return str(_plain(value))


def _plain(value: object) -> object:
    """`value`, if it is text, a number, nothing, or a list or mapping of such.

    Others would print where they lie in memory, or the order of a set: other bytes each time.
    """
    if isinstance(value, dict):
        _plain([*value, *value.values()])
    elif isinstance(value, (list, tuple)):
        for item in value:
            _plain(item)
    elif value is not None and not isinstance(value, (str, int, float)):
        str(value)  # raises where it is a name that is not there
        hint = ": write | list" if isinstance(value, Iterator) else ""
        if fields := getattr(type(value), "model_fields", ()):
            hint = f": write one of its fields, {', '.join(fields)}"
        raise ValueError(f"a {type(value).__name__} cannot be printed{hint}")
    return value


def _line(value: object) -> str:
    line = _given(value)
    if not all(character.isprintable() for character in line):
        raise ValueError(f"{line!a} must be one line here")
    return line


FILTERS: dict[str, Quote] = {
    "sh": sh,
    "sh_inside": sh_inside,
    "yaml": yaml,
    "json": json_text,
    "perl": perl,
    "text": text,
}

_BY_SUFFIX: dict[str, Quote] = {
    ".json": json_text,
    ".py": python,
    ".sh": sh,
    ".yaml": yaml,
    ".yml": yaml,
}


def for_file(path: str, source: str) -> Quote:
    """The quoting of the artifact at `path`, whose template is `source`."""
    name = PurePosixPath(path)
    if name.name == "Dockerfile":
        return dockerfile
    if source.startswith("#!/bin/sh"):
        return sh
    return _BY_SUFFIX.get(name.suffix, text)
