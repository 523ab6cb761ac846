"""Quoting of every value printed into an artifact, by the file's type.

Jinja's autoescaping, made for HTML, is the mechanism: each value that `{{ ... }}` prints passes
through the quoting of the template's file type, unless the template applies one of FILTERS itself,
as in `| text`. So a template writes `image: {{ cluster.tag }}` without quotes, and no value can
end its line, its string or its word.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from markupsafe import Markup

from mpigen.untrusted.quoting import shown

Quote = Callable[[object], Markup]


def sh(value: object) -> Markup:
    """A word of POSIX shell; a list becomes one word per item."""
    if isinstance(value, (list, tuple)):
        return Markup(" ".join(sh(item) for item in value))
    return Markup(shlex.quote(_printable(value)))


def sh_inside(value: object) -> Markup:
    """One line of text inside double quotes of a shell script."""
    return Markup(re.sub(r'([\\"$`])', r"\\\1", _line(value)))


def yaml(value: object) -> Markup:
    """A YAML value in one line (JSON is YAML), with `$` doubled for `docker stack deploy`."""
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
    """A Perl string literal in one line."""
    return Markup("'" + re.sub(r"([\\'])", r"\\\1", _line(value)) + "'")


def text(value: object) -> Markup:
    """The value unquoted, for comments, documents and files of lines: it must be one line."""
    return Markup(_line(value))


def _printable(value: object) -> str:
    """`value` as a string. Raises ValueError if it is None or has no stable text."""
    if value is None:
        raise ValueError("there is no value for this: put it in {% if %}")
    return str(_plain(value))


def _plain(value: object) -> object:
    """`value`, if it is a string, a number, None, or a list or mapping of these.

    Raises ValueError for other values: they would print a memory address, or a set in any order,
    so that each render would give different bytes.
    """
    if isinstance(value, dict):
        _plain([*value, *value.values()])
    elif isinstance(value, (list, tuple)):
        for item in value:
            _plain(item)
    elif value is not None and not isinstance(value, (str, int, float)):
        str(value)  # raises UndefinedError for an undefined name
        hint = ": write | list" if isinstance(value, Iterator) else ""
        if fields := getattr(type(value), "model_fields", ()):
            hint = f": write one of its fields, {', '.join(fields)}"
        raise ValueError(f"a {type(value).__name__} cannot be printed{hint}")
    return value


def _line(value: object) -> str:
    """`value` as one line. Raises ValueError for line ends and other control characters."""
    line = _printable(value)
    if not all(character.isprintable() for character in line):
        raise ValueError(f"{shown(line)} must be one line here")
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
    """The quoting for the artifact at `path`, rendered from the template text `source`."""
    name = PurePosixPath(path)
    if name.name == "Dockerfile":
        return dockerfile
    if source.startswith("#!/bin/sh"):
        return sh
    return _BY_SUFFIX.get(name.suffix, text)
