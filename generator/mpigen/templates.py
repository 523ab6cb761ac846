"""The Jinja environment, and where a template comes from.

The built-in templates mirror output/: `templates/a/b.j2` becomes `output/a/b`. A site's own
`templates/` lies over them: the same path replaces, or extends with
`{% extends "builtin/a/b.j2" %}`; a new path adds an artifact.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from mpigen import quote
from mpigen.errors import InputError

SUFFIX = ".j2"


def builtin_folder() -> Path:
    """mpigen's own templates: inside the installed package, or beside it in a checkout."""
    installed = Path(__file__).parent / "templates"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "templates"


class Templates:
    """The built-in templates with those of a site laid over them."""

    def __init__(self, site: Path | None = None) -> None:
        self._builtin = _read(builtin_folder())
        own = _read(site) if site and site.is_dir() else {}
        # a copy that overrides nothing is the built-in (mpigen's own checkout is such a site)
        self._site = {name: text for name, text in own.items() if text != self._builtin.get(name)}
        self._site_folder = site

    @cached_property
    def names(self) -> list[str]:
        """Every template that makes an artifact, as `a/b.j2`, sorted."""
        return sorted({*self._builtin, *self._site})

    def origin(self, name: str) -> str:
        """Where template `name` comes from: `templates/NAME` of the site, or `builtin/NAME`."""
        return f"templates/{name}" if name in self._site else f"builtin/{name}"

    def render(self, name: str, context: Mapping[str, object]) -> str:
        """The text that template `name` gives.

        Raises InputError with the template's file and line.
        """
        path = name.removesuffix(SUFFIX)
        try:
            environment = self._environment(path, name)
            return environment.get_template(name).render(context)
        except jinja2.TemplateSyntaxError as error:
            where = f"{self._file(error.name or name)}:{error.lineno}"
            raise InputError(f"{where}: {error.message}") from error
        except jinja2.TemplateNotFound as error:
            raise InputError(f"{self._file(name)}: there is no template {error.name}") from error
        except (jinja2.TemplateError, ValueError, TypeError) as error:
            raise InputError(f"{self._file(name)}:{_line(error)}: {error}") from error

    def _environment(self, path: str, name: str) -> jinja2.Environment:
        quoting = quote.for_file(path, self._builtin.get(name) or self._site[name])
        environment = self._environments.get(quoting)
        if environment is None:
            environment = self._environments[quoting] = _environment(
                quoting, {**self._builtin, **self._site, **self._builtin_by_name}
            )
        return environment

    @cached_property
    def _environments(self) -> dict[quote.Quote, jinja2.Environment]:
        return {}

    @cached_property
    def _builtin_by_name(self) -> dict[str, str]:
        return {f"builtin/{name}": text for name, text in self._builtin.items()}

    def _file(self, name: str) -> str:
        if name in self._site:
            return f"{self._site_folder}/{name}"
        return f"builtin/{name.removeprefix('builtin/')}"


def _environment(quoting: quote.Quote, sources: dict[str, str]) -> jinja2.Environment:
    def finalize(value: object) -> Markup:
        return value if isinstance(value, Markup) else quoting(value)

    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.DictLoader(sources),
        undefined=jinja2.StrictUndefined,
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


def _read(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob(f"*{SUFFIX}")
        if path.is_file()
    }


def _line(error: BaseException) -> int:
    """The template line that an error was raised on: Jinja rewrites tracebacks to say so."""
    traceback, line = error.__traceback__, 0
    while traceback:
        if traceback.tb_frame.f_code.co_filename == "<template>":
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
