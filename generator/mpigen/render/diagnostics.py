"""Errors in templates: file, line and excerpt, and suggestions for names that do not exist.

Jinja's own errors get their place here too: by `locating_errors` when it compiles a template, and
by `at_traceback` when it renders one.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass
from typing import Any

import jinja2

from mpigen.errors import Fault, InputError
from mpigen.render.files import BUILTIN
from mpigen.untrusted.quoting import LONGEST, LONGEST_REASON, clip, shown

# The variables of every template: render.py sets them.
CONTEXT = ("cluster", "keys", "held")

# A message lists no more names than these.
_MAX_NAMES = 60
# The most characters of a line that an excerpt shows.
_MAX_EXCERPT = 160
# Line ends as Jinja counts them.
_NEWLINE = re.compile(r"\r\n|\r|\n")


class Undefined(jinja2.StrictUndefined):
    """An undefined name: any use of it is an error that suggests existing names."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:  # the sandbox's message for a forbidden attribute
            return self._undefined_hint
        owner, name = self._undefined_obj, self._undefined_name
        if owner is jinja2.utils.missing:
            return f"{shown(name)} is undefined; {nearest(str(name), CONTEXT)}"
        if isinstance(owner, (list, tuple)) and isinstance(name, int):
            return f"there is no item {name} in a list of {len(owner)}"
        kind = "keys" if type(owner).__name__ == "PublicKeys" else type(owner).__name__.lower()
        if homes := [each for each in _names(owner) if name in _fields(getattr(owner, each))]:
            return f"{kind} has no {str(name)!r}; did you mean {kind}.{homes[0]}.{name}?"
        return f"{kind} has no {shown(str(name))}; {nearest(str(name), _names(owner))}"


def nearest(name: str, known: Iterable[str]) -> str:
    """A suggestion: the known name closest to `name`, or all known names if they are few."""
    names = sorted(known)
    near = difflib.get_close_matches(name[:LONGEST], names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    if len(names) > _MAX_NAMES:
        return f"none of the {len(names)} known names is similar"
    return f"known: {', '.join(names)}" if names else "there are none"


def at(file: str, source: str, line: int, message: str, hint: str = "") -> InputError:
    """An error at a line of the template `source`, with an excerpt around it."""
    message = clip(message, LONGEST_REASON)
    return InputError(
        f"{file}:{line}: {message}\n{_excerpt(source, line)}",
        hint,
        [Fault(file, line, 1, "", message)],
    )


def at_traceback(
    file: str, sources: Mapping[str, str], error: BaseException, message: str, hint: str = ""
) -> InputError:
    """An error at the template line that raised `error`, or of the whole `file` if none did.

    Jinja rewrites tracebacks to name the template's file and line. If a built-in template raised
    it, the place is the site's line that led there. `sources` maps template files to their text.
    """
    places = []
    traceback = error.__traceback__
    while traceback:
        if traceback.tb_frame.f_code.co_filename in sources:
            places.append((traceback.tb_frame.f_code.co_filename, traceback.tb_lineno))
        traceback = traceback.tb_next
    if not places:
        return InputError(f"{file}: {clip(message, LONGEST_REASON)}", hint)
    file, line = last = places[-1]
    own = [place for place in places if not place[0].startswith(BUILTIN)]
    if own and own[-1] != last:
        message = f"{message} (in {file}:{line})"
        file, line = own[-1]
    return at(file, sources[file], line, message, hint)


@contextmanager
def locating_errors(file: str, source: str) -> Iterator[None]:
    """Turn Jinja's errors while it parses or compiles `source` into InputError with the place."""
    try:
        yield
    except jinja2.TemplateSyntaxError as error:
        raise at(file, source, error.lineno, error.message or str(error)) from error
    except (RecursionError, MemoryError) as error:  # MemoryError: of Python's own compiler
        raise InputError(f"{file}: brackets or tags are nested too deeply") from error
    except ValueError as error:  # a number of more than 4,300 digits
        raise InputError(f"{file}: {clip(str(error), LONGEST_REASON)}") from error
    except SyntaxError as error:  # in the Python code that Jinja generates
        raise InputError(f"{file}: {clip(error.msg, LONGEST_REASON)}") from error


def together(errors: Sequence[InputError]) -> InputError:
    """All `errors`, at least one, combined into one."""
    return InputError(
        "\n".join(error.message for error in errors),
        "\n".join(dict.fromkeys(error.hint for error in errors if error.hint)),
        # An incomplete list of faults would mislead: give all of them, or none.
        [fault for error in errors for fault in error.faults]
        if all(error.faults for error in errors)
        else (),
    )


def missing(name: str, known: Iterable[str]) -> str:
    """The message for a reference to the missing template `name`."""
    if name.startswith(("/", "~")) or ".." in name.split("/"):
        readable = "only those in the site's templates/ and builtin/ can be read"
        return f"no template {clip(name)}: {readable}"
    return f"no template {clip(name)}; {nearest(name, known)}"


def copied(name: str, path: str) -> tuple[str, str]:
    """Message and hint for a template reference `name` to `path`, which is a copied file."""
    return (
        f"no template {name}: {path} is copied unchanged and has no blocks",
        f"Remove this, copy the file with `mpigen templates eject {path}`, and edit the copy.",
    )


def _names(value: Any) -> list[str]:
    """The keys or public attributes of `value`; no methods if it is one of mpigen's classes."""
    if isinstance(value, dict):
        return [str(key) for key in value]
    if fields := _fields(value):
        return fields
    names = [name for name in dir(value) if not name.startswith("_")]
    return [name for name in names if not (is_dataclass(value) and callable(getattr(value, name)))]


def _fields(value: Any) -> list[str]:
    """The field names of a section of mpigen.yaml; empty for any other value."""
    return [*getattr(type(value), "model_fields", ())]


def _excerpt(source: str, line: int) -> str:
    """Line `line` with its two neighbours, numbered and marked."""
    lines = _NEWLINE.split(source)
    if not lines[-1]:
        lines.pop()
    numbers = range(max(1, line - 1), min(len(lines), line + 1) + 1)
    width = len(str(numbers[-1])) if numbers else 1
    texts = {number: clip(lines[number - 1], _MAX_EXCERPT) for number in numbers}
    return "\n".join(
        f"  {'>' if number == line else ' '} {number:>{width}} | {text}".rstrip()
        for number, text in texts.items()
    )
