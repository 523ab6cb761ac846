"""The Jinja environment: strict, sandboxed, and quoting what it prints."""

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


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, in which a section of mpigen.yaml has its fields and nothing else."""

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
    """An environment that quotes by `quoting`; `compiled` gives the code of a template, or None.

    What one environment has compiled runs in all of them: they differ in their quoting alone,
    which is asked for when a value is printed.
    """

    @jinja2.pass_context  # else Jinja escapes constants as HTML before it calls this
    def finalize(_context: jinja2.runtime.Context, value: object) -> Markup:
        if isinstance(value, jinja2.Undefined):
            str(value)  # raises, saying which name it is
        return value if isinstance(value, Markup) else quoting(value)

    environment = _Environment(
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


# of one template: the largest site's take less than a hundredth of either
SECONDS = 5
MEBIBYTES = 512

_STATM = Path("/proc/self/statm")


@contextmanager
def limited() -> Iterator[None]:
    """Run the body with processor time and memory bounded.

    Raises SecurityError after `SECONDS` of processor time (in the main thread alone: only there
    can a signal be caught), and MemoryError beyond `MEBIBYTES` (where the kernel is Linux).
    """
    with _memory(), _time():
        yield


@contextmanager
def _time() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise SecurityError(f"ran for {SECONDS} seconds: does a loop or a macro not end?")

    before = signal.signal(signal.SIGVTALRM, stop)
    # again each second: an `except` on the way may have swallowed the first
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@contextmanager
def _memory() -> Iterator[None]:
    if not _STATM.exists():
        yield
        return
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    # proc(5): the first number is the size of the address space, in pages
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
