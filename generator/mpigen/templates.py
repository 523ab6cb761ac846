"""The Jinja environment, and where a template comes from.

The built-in templates mirror output/: `templates/a/b.j2` becomes `output/a/b`. A site's own
`templates/` lies over them: the same path replaces, or extends with
`{% extends "builtin/a/b.j2" %}`; a new path adds an artifact.
"""

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from mpigen import quote
from mpigen.errors import InputError

SUFFIX = ".j2"

BUILTIN = "builtin/"
# what a template's own expressions may raise
_AT_FAULT = (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError)

_EMPTY_BLOCK = re.compile(r"^\{% block \w+ %\}\n\{% endblock %\}\n", re.MULTILINE)

_Source = tuple[str, str, Callable[[], bool] | None]


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
        try:
            environment = self._environment(name)
            if name in self._site:
                self._check_override(environment, name)
            return environment.get_template(name).render(context)
        except jinja2.TemplateSyntaxError as error:
            where = f"{error.filename or self._file(name)}:{error.lineno}"
            raise InputError(f"{where}: {error.message}") from error
        except jinja2.TemplateNotFound as error:
            raise InputError(f"{self._place(name, error)}: no template {error.name}") from error
        except RecursionError as error:
            hint = f'To change the built-in, write {{% extends "builtin/{name}" %}}.'
            raise InputError(f"{self._file(name)}: extends or includes itself", hint) from error
        except _AT_FAULT as error:
            raise InputError(f"{self._place(name, error)}: {error}") from error

    def _environment(self, name: str) -> jinja2.Environment:
        path = name.removesuffix(SUFFIX)
        quoting = quote.for_file(path, self._builtin.get(name) or self._site[name])
        environment = self._environments.get(quoting)
        if environment is None:
            environment = self._environments[quoting] = _environment(quoting, self._load)
        return environment

    @cached_property
    def _environments(self) -> dict[quote.Quote, jinja2.Environment]:
        return {}

    def _load(self, name: str) -> _Source | None:
        """Source and file of a template as Jinja asks for it; None if there is none."""
        text = {**self._builtin, **self._site}.get(name)
        if name.startswith(BUILTIN):
            text = self._builtin.get(name.removeprefix(BUILTIN), text)
        if text is None:
            return None
        if not self._site:
            # nothing can fill them, and compiling them is a thirtieth of a render; lines stay
            text = _EMPTY_BLOCK.sub("{#\n#}\n", text)
        return text, self._file(name), None

    def _file(self, name: str) -> str:
        if name in self._site:
            return f"{self._site_folder}/{name}"
        return f"{BUILTIN}{name.removeprefix(BUILTIN)}"

    def _place(self, name: str, error: BaseException) -> str:
        """FILE:LINE that `error` was raised on: Jinja rewrites tracebacks to say so."""
        files = {self._file(each) for each in (*self._builtin, *self._site)}
        files |= {f"{BUILTIN}{each}" for each in self._builtin}
        place = self._file(name)
        traceback = error.__traceback__
        while traceback:
            if traceback.tb_frame.f_code.co_filename in files:
                place = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
            traceback = traceback.tb_next
        return place

    def _check_override(self, environment: jinja2.Environment, name: str) -> None:
        """Refuse what Jinja would drop from a template that extends a built-in one.

        That is a block that the built-in does not have, and text outside of every block.
        """
        tree = environment.parse(self._site[name], name, self._file(name))
        extends = tree.find(nodes.Extends)
        base = extends.template.as_const() if extends else ""
        if not base.startswith(BUILTIN):
            return
        known = environment.get_template(base).blocks
        blocks = list(tree.find_all(nodes.Block))
        inner = {id(nested) for block in blocks for nested in block.find_all(nodes.Block)}
        for block in blocks:
            if block.name not in known and id(block) not in inner:
                message = f"{self._file(name)}:{block.lineno}: {base} has no block {block.name}"
                raise InputError(message, f"It has {', '.join(sorted(known))}.")
        for output in tree.body:
            if isinstance(output, nodes.Output) and not all(map(_is_blank, output.nodes)):
                message = f"{self._file(name)}:{_first_line(output)}: text outside of a block"
                raise InputError(message, f"{base} has {', '.join(sorted(known))}.")


def _is_blank(node: nodes.Node) -> bool:
    return isinstance(node, nodes.TemplateData) and not node.data.strip()


def _first_line(output: nodes.Output) -> int:
    """The line of the first thing in `output` that is not blank."""
    node = next(node for node in output.nodes if not _is_blank(node))
    text = node.data if isinstance(node, nodes.TemplateData) else ""
    return node.lineno + text[: len(text) - len(text.lstrip())].count("\n")


def _environment(quoting: quote.Quote, load: Callable[[str], _Source | None]) -> jinja2.Environment:
    @jinja2.pass_context  # else Jinja escapes constants as HTML before it calls this
    def finalize(_context: jinja2.runtime.Context, value: object) -> Markup:
        if isinstance(value, jinja2.Undefined):
            str(value)  # raises, saying which name it is
        return value if isinstance(value, Markup) else quoting(value)

    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FunctionLoader(load),
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
    texts = {}
    for path in folder.rglob(f"*{SUFFIX}"):
        if path.is_file():
            try:
                texts[path.relative_to(folder).as_posix()] = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise InputError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    return texts
