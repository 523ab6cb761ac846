"""What is wrong in a template: the place, the lines around it, the names that there are."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass
from typing import Any

import jinja2

from mpigen.errors import Fault, InputError

# what every template is given: render.py
CONTEXT = ("cluster", "keys", "held")

# more names than these are no help
_MANY = 60
# as Jinja counts lines
_NEWLINE = re.compile(r"\r\n|\r|\n")


class Undefined(jinja2.StrictUndefined):
    """A name that is not there: an error as soon as it is used, which says what there is."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:  # the sandbox's, for what is forbidden
            return self._undefined_hint
        of, name = self._undefined_obj, self._undefined_name
        if of is jinja2.utils.missing:
            return f"{name!r} is undefined; {nearest(str(name), CONTEXT)}"
        if isinstance(of, (list, tuple)) and isinstance(name, int):
            return f"there is no item {name} in a list of {len(of)}"
        kind = "keys" if type(of).__name__ == "PublicKeys" else type(of).__name__.lower()
        if homes := [each for each in _names(of) if name in _fields(getattr(of, each))]:
            return f"{kind} has no {str(name)!r}; did you mean {kind}.{homes[0]}.{name}?"
        return f"{kind} has no {str(name)!r}; {nearest(str(name), _names(of))}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like `name`, or all of them if that is no long list."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    if len(names) > _MANY:
        return f"none of the {len(names)} that there are is like it"
    return f"there are {', '.join(names) or 'none'}"


def at(file: str, source: str, line: int, message: str, hint: str = "") -> InputError:
    """An error at a line of a template, with the lines around it."""
    return InputError(
        f"{file}:{line}: {message}\n{_excerpt(source, line)}",
        hint,
        [Fault(file, line, 1, "", message)],
    )


def together(errors: Sequence[InputError]) -> InputError:
    """All of `errors`, at least one, as one."""
    return InputError(
        "\n".join(error.message for error in errors),
        "\n".join(dict.fromkeys(error.hint for error in errors if error.hint)),
        # a list of faults that leaves something out would be wrong
        [fault for error in errors for fault in error.faults]
        if all(error.faults for error in errors)
        else (),
    )


def missing(name: str, known: Iterable[str]) -> str:
    """What to say of a template that is not there."""
    if name.startswith(("/", "~")) or ".." in name.split("/"):
        return f"no template {name}: only those in the site's templates/ and builtin/ can be read"
    return f"no template {name}; {nearest(name, known)}"


def copied(name: str, path: str) -> tuple[str, str]:
    """Message and hint where a template names `name`, and `path` is a file that is copied."""
    return (
        f"no template {name}: {path} is copied as it is, and has no blocks",
        f"Remove this, copy the file with `mpigen templates eject {path}`, and edit the copy.",
    )


def _names(of: Any) -> list[str]:
    """The names that `of` has; methods only where it is not mpigen's own."""
    if isinstance(of, dict):
        return [str(key) for key in of]
    if fields := _fields(of):
        return fields
    names = [name for name in dir(of) if not name.startswith("_")]
    return [name for name in names if not (is_dataclass(of) and callable(getattr(of, name)))]


def _fields(of: Any) -> list[str]:
    """The fields of a section of mpigen.yaml; none of anything else."""
    return [*getattr(type(of), "model_fields", ())]


def _excerpt(source: str, line: int) -> str:
    lines = _NEWLINE.split(source)
    if not lines[-1]:
        lines.pop()
    shown = range(max(1, line - 1), min(len(lines), line + 1) + 1)
    width = len(str(shown[-1])) if shown else 1
    return "\n".join(
        f"  {'>' if number == line else ' '} {number:>{width}} | {lines[number - 1]}".rstrip()
        for number in shown
    )
