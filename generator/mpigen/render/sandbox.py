"""The Jinja environment: strict, sandboxed, and quoting what it prints."""

from collections.abc import Callable, Iterable, MutableMapping
from types import CodeType
from typing import Any

import jinja2
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from mpigen.render import quote
from mpigen.render.diagnostics import Undefined

# characters of an artifact
_LARGEST = 10_000_000


class _Loader(jinja2.BaseLoader):
    """Gives templates that are compiled already: they outlive the environments they run in."""

    def __init__(self, compiled: Callable[[str], CodeType | None]) -> None:
        self._compiled = compiled

    def load(
        self,
        environment: jinja2.Environment,
        name: str,
        globals: MutableMapping[str, Any] | None = None,
    ) -> jinja2.Template:
        code = self._compiled(name)
        if code is None:
            raise jinja2.TemplateNotFound(name)
        return jinja2.Template.from_code(environment, code, globals or {})


def make(
    quoting: quote.Quote, compiled: Callable[[str], CodeType | None] = lambda _: None
) -> jinja2.Environment:
    """An environment that quotes by `quoting`; `compiled` gives the code of a template, or None.

    What one environment has compiled runs in all of them: they differ in their quoting alone,
    which is asked for when a value is printed.
    """

    @jinja2.pass_context  # else Jinja escapes constants as HTML before it calls this
    def finalize(_context: jinja2.runtime.Context, value: object) -> Markup:
        if isinstance(value, jinja2.Undefined):
            str(value)  # raises, saying which name it is
        return value if isinstance(value, Markup) else quoting(value)

    environment = ImmutableSandboxedEnvironment(
        loader=_Loader(compiled),
        undefined=Undefined,
        autoescape=True,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # each template is rendered once: folding its constants costs more than it saves
        optimized=False,
        auto_reload=False,
    )
    environment.filters.update(quote.FILTERS)
    environment.filters["random"] = _refuse("random")
    environment.globals["lipsum"] = _refuse("lipsum")
    return environment


def bounded(parts: Iterable[str]) -> str:
    """The parts in one. Raises ValueError where they are more than any artifact is."""
    text: list[str] = []
    size = 0
    for part in parts:
        size += len(part)
        if size > _LARGEST:
            raise ValueError(f"gives more than {_LARGEST:,} characters: does a loop not end?")
        text.append(part)
    return "".join(text)


def _refuse(name: str) -> Callable[..., str]:
    def refuse(*_arguments: object, **_named: object) -> str:
        raise SecurityError(f"{name} is forbidden: the same site must give the same bytes")

    return refuse
