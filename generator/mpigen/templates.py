"""Where a template comes from, and what it gives.

The built-in templates mirror output/: `templates/a/b.j2` becomes `output/a/b`. A site's own
`templates/` lies over them: the same path replaces, or extends with
`{% extends "builtin/a/b.j2" %}`; a new path adds an artifact.
"""

import re
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path

import jinja2
from jinja2 import nodes

from mpigen import environment, overrides, quote, template_errors
from mpigen.blocks import Block, find
from mpigen.errors import InputError
from mpigen.overrides import Override
from mpigen.template_errors import explain, nearest

SUFFIX = ".j2"

BUILTIN = "builtin/"
# what a template's own expressions may raise
_AT_FAULT = (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError)

_EMPTY_BLOCK = re.compile(r"^\{% block \w+ %\}\n\{% endblock %\}\n", re.MULTILINE)


def builtin_folder() -> Path:
    """mpigen's own templates: inside the installed package, or beside it in a checkout."""
    installed = Path(__file__).parent / "templates"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "templates"


class Templates:
    """The built-in templates with those of a site laid over them."""

    def __init__(self, site: Path | None = None) -> None:
        self._builtin = _builtin(builtin_folder())
        own = _read(site) if site and site.is_dir() else {}
        # a copy that overrides nothing is the built-in (mpigen's own checkout is such a site)
        self._site = {name: text for name, text in own.items() if text != self._builtin.get(name)}
        self._site_folder = site
        # compiled once: of the built-in ones in a process, of a site's own in a site
        self._shared = _shared(builtin_folder())
        self._own: dict[quote.Quote, jinja2.Environment] = {}

    @cached_property
    def names(self) -> list[str]:
        """Every template that makes an artifact, as `a/b.j2`, sorted."""
        return sorted({*self._builtin, *self._site})

    def origin(self, name: str) -> str:
        """Where template `name` comes from: `templates/NAME` of the site, or `builtin/NAME`."""
        return f"templates/{name}" if name in self._site else f"{BUILTIN}{name}"

    def builtin(self, name: str) -> str | None:
        """The text of the built-in template `name`, if there is one."""
        return self._builtin.get(name)

    def own(self, name: str) -> str | None:
        """The text of the site's template `name`, if it has one that is not the built-in."""
        return self._site.get(name)

    def blocks(self, name: str) -> list[Block]:
        """The blocks of the built-in template `name`."""
        return find(self._environment(name), self._builtin[name])

    def overrides(self) -> list[Override]:
        """What of the built-in templates the site overrides, by path and in the files' order."""
        return [override for name in self.names for override in self._overrides(name)]

    def _overrides(self, name: str) -> list[Override]:
        if name not in self._site or name not in self._builtin:
            return []
        tree, path = self._parse(name), name.removesuffix(SUFFIX)
        if overrides.base(tree) != f"{BUILTIN}{name}":
            return [Override(path, "", self._builtin[name])]
        own = overrides.block_names(tree)
        return [
            Override(path, block.name, block.text)
            for block in self.blocks(name)
            if block.name in own
        ]

    def render(self, name: str, context: Mapping[str, object]) -> str:
        """The text that template `name` gives.

        Raises InputError with the template's file and line, and the lines around it.
        """
        jinja = self._environment(name)
        try:
            if name in self._site:
                self._check(jinja, name)
            return environment.bounded(jinja.get_template(name).generate(context))
        except jinja2.TemplateSyntaxError as error:
            file = error.filename or self._file(name)
            text = error.source or self._texts.get(file, "")
            raise template_errors.at(file, text, error.lineno, explain(error, jinja)) from error
        except jinja2.TemplateNotFound as error:
            known = nearest(
                str(error.name), [*self.names, *(f"{BUILTIN}{each}" for each in self._builtin)]
            )
            raise self._error(name, error, f"no template {error.name}; {known}") from error
        except RecursionError as error:
            hint = f'To change the built-in, write {{% extends "{BUILTIN}{name}" %}}.'
            raise InputError(f"{self._file(name)}: extends or includes itself", hint) from error
        except _AT_FAULT as error:
            raise self._error(name, error, str(error)) from error

    def _environment(self, name: str) -> jinja2.Environment:
        own = name in self._site
        environments, load = (self._own, self._load) if own else (self._shared, self._load_builtin)
        path = name.removesuffix(SUFFIX)
        quoting = quote.for_file(path, self._builtin.get(name) or self._site.get(name, ""))
        if quoting not in environments:
            environments[quoting] = environment.make(quoting, load)
        return environments[quoting]

    def _load_builtin(self, name: str) -> environment.Source | None:
        """A built-in template that nothing extends."""
        text = self._builtin.get(name)
        if text is None:
            return None
        # nothing can fill them, and compiling them is a thirtieth of a render; lines stay
        return _EMPTY_BLOCK.sub("{#\n#}\n", text), self._file(name), None

    def _load(self, name: str) -> environment.Source | None:
        """Source and file of a template as Jinja asks for it; None if there is none."""
        text = {**self._builtin, **self._site}.get(name)
        if name.startswith(BUILTIN):
            text = self._builtin.get(name.removeprefix(BUILTIN), text)
        return None if text is None else (text, self._file(name), None)

    def _parse(self, name: str) -> nodes.Template:
        try:
            return self._environment(name).parse(self._site[name], name, self._file(name))
        except jinja2.TemplateSyntaxError as error:
            message = explain(error, self._environment(name))
            file = self._file(name)
            raise template_errors.at(file, self._site[name], error.lineno, message) from error

    def _file(self, name: str) -> str:
        if name in self._site:
            return f"{self._site_folder}/{name}"
        return f"{BUILTIN}{name.removeprefix(BUILTIN)}"

    @cached_property
    def _texts(self) -> dict[str, str]:
        """The text of each template by the name of its file."""
        builtin = {f"{BUILTIN}{name}": text for name, text in self._builtin.items()}
        return builtin | {self._file(name): text for name, text in self._site.items()}

    def _error(self, name: str, error: BaseException, message: str) -> InputError:
        """`message` at the line that `error` was raised on: Jinja rewrites tracebacks to say so."""
        file, line = self._file(name), 0
        traceback = error.__traceback__
        while traceback:
            if traceback.tb_frame.f_code.co_filename in self._texts:
                file, line = traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
            traceback = traceback.tb_next
        if not line:
            return InputError(f"{file}: {message}")
        return template_errors.at(file, self._texts[file], line, message)

    def _check(self, jinja: jinja2.Environment, name: str) -> None:
        tree = self._parse(name)
        base = overrides.base(tree)
        if base.startswith(BUILTIN):
            known = jinja.get_template(base).blocks
            overrides.check(tree, known, self._file(name), self._site[name])


@cache
def _builtin(folder: Path) -> dict[str, str]:
    return _read(folder)


@cache
def _shared(_folder: Path) -> dict[quote.Quote, jinja2.Environment]:
    return {}


def _read(folder: Path) -> dict[str, str]:
    texts = {}
    for path in folder.rglob(f"*{SUFFIX}"):
        if path.is_file():
            if not path.resolve().is_relative_to(folder.resolve()):
                hint = "Put a copy in its place: what is rendered is what is committed."
                raise InputError(f"{path}: is a link out of the site's templates", hint)
            try:
                texts[path.relative_to(folder).as_posix()] = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise InputError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    return texts
