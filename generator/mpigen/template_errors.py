"""What is wrong in a template: the place, the lines around it, the names that there are."""

import difflib
import re
from collections.abc import Iterable
from typing import Any

import jinja2

from mpigen.errors import Fault, InputError

# what every template is given: render.py
CONTEXT = ("cluster", "keys", "held")


class Undefined(jinja2.StrictUndefined):
    """A name that is not there: an error as soon as it is used, which says what there is."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:  # the sandbox's, for what is forbidden
            return self._undefined_hint
        name = str(self._undefined_name)
        if self._undefined_obj is jinja2.utils.missing:
            return f"{name!r} is undefined; {nearest(name, CONTEXT)}"
        of = self._undefined_obj
        kind = type(of).__name__.lower()
        return f"{kind} has no {name!r}; {nearest(name, _names(of))}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like `name`, or all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(names) or 'none'}"


def at(file: str, source: str, line: int, message: str, hint: str = "") -> InputError:
    """An error at a line of a template, with the lines around it."""
    return InputError(
        f"{file}:{line}: {message}\n{_excerpt(source, line)}",
        hint,
        [Fault(file, line, 1, "", message)],
    )


def explain(error: jinja2.TemplateError, environment: jinja2.Environment) -> str:
    """Jinja's message; where it is about a filter or a test, with the nearest that there is."""
    message = error.message or str(error)
    unknown = re.match(r"No (filter|test) named '(\w+)'", message)
    if unknown:
        known = environment.filters if unknown[1] == "filter" else environment.tests
        return f"there is no {unknown[1]} {unknown[2]!r}; {nearest(unknown[2], known)}"
    return message


def _names(of: Any) -> list[str]:
    if isinstance(of, dict):
        return [str(key) for key in of]
    return [
        name for name in dir(of) if not name.startswith("_") and not callable(getattr(of, name))
    ]


def _excerpt(source: str, line: int) -> str:
    lines = source.splitlines() or [""]
    shown = range(max(1, line - 1), min(len(lines), line + 1) + 1)
    width = len(str(shown[-1])) if shown else 1
    return "\n".join(
        f"  {'>' if number == line else ' '} {number:>{width}} | {lines[number - 1]}".rstrip()
        for number in shown
    )
