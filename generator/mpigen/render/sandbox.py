"""The strict, sandboxed Jinja environment that templates run in, and the limits of a site's own.

`make` builds the environment, which quotes every printed value. `limited` bounds the processor time
and memory of a site's template, and `bounded` the length of any output.
"""

import resource
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import jinja2
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup
from pydantic import BaseModel

from mpigen.render import quote
from mpigen.render.diagnostics import Undefined

# Limits of one template: the largest site needs less than a hundredth of either.
SECONDS = 5
MEBIBYTES = 512

# The longest artifact, in characters.
_MAX_CHARACTERS = 10_000_000
_STATM = Path("/proc/self/statm")


class _Loader(jinja2.BaseLoader):
    """Loads compiled templates, since their code outlives the environments that run it."""

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


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, in which a section of mpigen.yaml exposes its fields and nothing else."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether a template may read an attribute.

        pydantic's own methods can read files and load pickles (BaseModel.parse_file, parse_raw).
        """
        if isinstance(obj, BaseModel) or (isinstance(obj, type) and issubclass(obj, BaseModel)):
            return attr in type(obj).model_fields if isinstance(obj, BaseModel) else False
        return super().is_safe_attribute(obj, attr, value)


def make(
    quoting: quote.Quote, compiled: Callable[[str], CodeType | None] = lambda _: None
) -> jinja2.Environment:
    """An environment that quotes by `quoting`; `compiled` returns a template's code, or None.

    Code that one environment has compiled runs in all of them: they differ only in their quoting,
    which is looked up when a value is printed.
    """

    @jinja2.pass_context  # otherwise Jinja escapes constants as HTML before it calls this
    def finalize(_context: jinja2.runtime.Context, value: object) -> Markup:
        if isinstance(value, jinja2.Undefined):
            str(value)  # raises UndefinedError with the name
        return value if isinstance(value, Markup) else quoting(value)

    environment = _Environment(
        loader=_Loader(compiled),
        undefined=Undefined,
        autoescape=True,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Each template is rendered once: folding its constants costs more than it saves.
        optimized=False,
        auto_reload=False,
    )
    environment.filters.update(quote.FILTERS)
    environment.filters["random"] = _forbidden("random")
    environment.globals["lipsum"] = _forbidden("lipsum")
    return environment


def _forbidden(name: str) -> Callable[..., str]:
    """A function that raises SecurityError, in place of Jinja's random `name`."""

    def refuse(*_arguments: object, **_named: object) -> str:
        raise SecurityError(f"{name} is forbidden: the same site must give the same bytes")

    return refuse


@contextmanager
def limited() -> Iterator[None]:
    """Run the body with bounded processor time and memory.

    Raises SecurityError after `SECONDS` of processor time (in the main thread only: no other one
    can handle a signal), and MemoryError beyond `MEBIBYTES` (on Linux only).
    """
    with _limited_memory(), _limited_time():
        yield


@contextmanager
def _limited_time() -> Iterator[None]:
    """Raise SecurityError in the body after `SECONDS` of processor time."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise SecurityError(f"ran for {SECONDS} seconds: does a loop or a macro not end?")

    before = signal.signal(signal.SIGVTALRM, stop)
    # The timer repeats every second, as an `except` in Jinja may have swallowed the first error.
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@contextmanager
def _limited_memory() -> Iterator[None]:
    """Limit the address space in the body to the present size plus `MEBIBYTES`."""
    if not _STATM.exists():
        yield
        return
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    # proc(5): the first number of statm is the size of the address space, in pages.
    used = int(_STATM.read_text().split()[0]) * resource.getpagesize()
    wanted = used + MEBIBYTES * 1024**2
    least = min(limit for limit in (wanted, before, hard) if limit != resource.RLIM_INFINITY)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (least, hard))
    try:
        yield
    finally:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (before, hard))


def bounded(parts: Iterable[str]) -> str:
    """The joined parts of an artifact. Raises ValueError beyond `_MAX_CHARACTERS`."""
    text: list[str] = []
    size = 0
    for part in parts:
        size += len(part)
        if size > _MAX_CHARACTERS:
            raise ValueError(
                f"gives more than {_MAX_CHARACTERS:,} characters: does a loop not end?"
            )
        text.append(part)
    return "".join(text)
