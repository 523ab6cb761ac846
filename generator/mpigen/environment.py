"""The Jinja environment: strict, sandboxed, and quoting what it prints."""

from collections.abc import Callable, Iterable

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from mpigen import quote
from mpigen.template_errors import Undefined

Source = tuple[str, str, Callable[[], bool] | None]
"""A template as Jinja asks for it: its text, the name of its file, whether it is still fresh."""

# characters of an artifact: the sandbox has no bound of its own for nested loops
_LARGEST = 10_000_000


def make(quoting: quote.Quote, load: Callable[[str], Source | None]) -> jinja2.Environment:
    """An environment that quotes by `quoting` and takes templates from `load`."""

    @jinja2.pass_context  # else Jinja escapes constants as HTML before it calls this
    def finalize(_context: jinja2.runtime.Context, value: object) -> Markup:
        if isinstance(value, jinja2.Undefined):
            str(value)  # raises, saying which name it is
        return value if isinstance(value, Markup) else quoting(value)

    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FunctionLoader(load),
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
