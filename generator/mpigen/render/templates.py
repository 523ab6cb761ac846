"""Where an artifact comes from, and its text.

The built-in files mirror output/: `templates/a/b.j2` is rendered to `output/a/b`, and
`templates/a/b` is copied there. A site's own `templates/` lies over them: a file for the same path
replaces, or extends a template with `{% extends "builtin/a/b.j2" %}`; a new path adds an artifact.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from types import CodeType

import jinja2
from jinja2 import nodes

from mpigen.artifacts.manifest import Override
from mpigen.errors import InputError
from mpigen.render import builtin, diagnostics, files, overrides, quote, sandbox
from mpigen.render.builtin import BUILTIN
from mpigen.render.files import artifact, is_template
from mpigen.render.overrides import Block

# what a template's own expressions may raise
_AT_FAULT = (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError)


def builtin_folder() -> Path:
    """mpigen's own templates: inside the installed package, or beside it in a checkout."""
    installed = Path(__file__).parents[1] / "templates"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "templates"


class Templates:
    """The built-in files with those of a site laid over them, templates and copied ones.

    `recorded` is what the last render noted of the site's overrides, and `version` of which mpigen.
    """

    def __init__(
        self, site: Path | None = None, recorded: Iterable[Override] = (), version: str = ""
    ) -> None:
        self._builtin_folder = builtin_folder()
        self._builtin = builtin.read_builtin(self._builtin_folder)
        self._builtin_names = {artifact(name): name for name in self._builtin}
        own = files.read(site) if site and site.is_dir() else {}
        # a copy that overrides nothing is the built-in (mpigen's own checkout is such a site)
        self._site = {name: text for name, text in own.items() if text != self._builtin.get(name)}
        self._site_folder = site
        self._recorded: dict[str, dict[str, str]] = {}
        for each in recorded:
            self._recorded.setdefault(each.path, {})[each.block] = version
        # of a site's own templates; what is built in is shared by all sites of a process
        self._trees: dict[str, nodes.Template] = {}
        self._codes: dict[str, CodeType] = {}
        self._environments: dict[quote.Quote, jinja2.Environment] = {}

    @cached_property
    def names(self) -> list[str]:
        """The file that each artifact is made from, as `a/b.j2` or `a/b`, sorted."""
        own = {artifact(name): name for name in self._site}
        return sorted((self._builtin_names | own).values())

    @property
    def of_site(self) -> list[str]:
        """The site's own files, sorted."""
        return sorted(self._site)

    def origin(self, name: str) -> str:
        """Where the file `name` comes from: `templates/NAME` of the site, or `builtin/NAME`."""
        return f"templates/{name}" if name in self._site else f"{BUILTIN}{name}"

    def builtin_name(self, name: str) -> str | None:
        """The built-in file that makes the same artifact as `name`, of either kind, if any."""
        return self._builtin_names.get(artifact(name))

    def builtin(self, name: str) -> str | None:
        """The text of the built-in file that makes the same artifact as `name`, if any."""
        return self._builtin.get(self.builtin_name(name) or "")

    def own(self, name: str) -> str | None:
        """The text of the site's file `name`, if it has one that is not the built-in."""
        return self._site.get(name)

    def blocks(self, name: str) -> list[Block]:
        """The blocks of the built-in file `name`; one that is copied has none."""
        return builtin.blocks(self._builtin[name]) if is_template(name) else []

    def block_names(self, name: str) -> set[str]:
        """The names of the blocks of template `name`, as a template names another."""
        if self.is_builtin(name):
            return {block.name for block in self.blocks(name.removeprefix(BUILTIN))}
        return overrides.block_names(self.tree(name))

    def overrides(self) -> list[Override]:
        """What of the built-in files the site overrides, by path and in the files' order."""
        return [override for name in self.of_site for override in self._overrides(name)]

    def _overrides(self, name: str) -> list[Override]:
        path, under = artifact(name), self.builtin(name)
        *own, last = self.lineage(name)
        if not self.is_builtin(last):
            return [Override(path, "", under)] if under is not None else []
        redefined = {block for each in own for block in self.block_names(each)}
        return [
            Override(path, block.name, block.text)
            for block in self.blocks(last.removeprefix(BUILTIN))
            if block.name in redefined
        ]

    def recorded(self, name: str) -> dict[str, str]:
        """The blocks that the site's template `name` overrode, and which mpigen had each."""
        return self._recorded.get(artifact(name), {})

    def render(self, name: str, context: Mapping[str, object]) -> str:
        """The text of an artifact: what template `name` gives, or the copied file `name`.

        The site's templates have passed template_checks.check. Raises InputError with the
        template's file and line, and the lines around it.
        """
        own = name in self._site
        if not is_template(name):
            return self._site[name] if own else self._builtin[name]
        try:
            with sandbox.limited() if own else nullcontext():
                template = self._environment(name).get_template(name)
                return sandbox.bounded(template.generate(context))
        except jinja2.TemplateNotFound as error:
            message, hint = self.missing(str(error.name))
            raise self._error(name, error, message, hint) from error
        except MemoryError as error:
            message = f"needs more than {sandbox.MEBIBYTES} MiB of memory"
            raise self._error(name, error, message) from error
        except RecursionError as error:
            message = "extends, includes or calls itself without end"
            raise self._error(name, error, message) from error
        except _AT_FAULT as error:
            raise self._error(name, error, str(error)) from error
        except Exception as error:
            if not own:
                raise
            # Jinja's filters take any value, and fail in their own ways
            raise self._error(name, error, f"{type(error).__name__}: {error}") from error

    def lineage(self, name: str) -> list[str]:
        """Template `name`, what it extends, what that extends, and so on."""
        names = [name]
        while names[-1] in self._site and is_template(names[-1]):
            base = overrides.base(self.tree(names[-1]))
            if not base or base in names:
                break
            names.append(base)
        return names

    def is_builtin(self, name: str) -> bool:
        """Whether `name`, as a template names another, is a built-in one."""
        if not is_template(name):
            return False
        if name.startswith(BUILTIN) and name.removeprefix(BUILTIN) in self._builtin:
            return True
        return name in self._builtin and name not in self._site

    def exists(self, name: str) -> bool:
        """Whether there is a template `name`, as a template names another."""
        return self.is_builtin(name) or (name in self._site and is_template(name))

    def missing(self, name: str) -> tuple[str, str]:
        """The message and hint for a template `name` that a template names and is not there."""
        path = artifact(name.removeprefix(BUILTIN))
        if path in self._builtin or path in self._site:
            return diagnostics.copied(name, path)
        names = [*self.names, *(f"{BUILTIN}{each}" for each in self._builtin)]
        return diagnostics.missing(name, filter(is_template, names)), ""

    def _environment(self, name: str) -> jinja2.Environment:
        source = self._builtin.get(name) or self._site.get(name, "")
        quoting = quote.for_file(artifact(name), source)
        if name not in self._site:
            return builtin.shared(self._builtin_folder, quoting)
        if quoting not in self._environments:
            self._environments[quoting] = sandbox.make(quoting, self.code)
        return self._environments[quoting]

    def tree(self, name: str) -> nodes.Template:
        """The site's template `name` as a tree. Raises InputError where it cannot be read."""
        if name not in self._trees:
            with self._told(name):
                self._trees[name] = builtin.compiler().parse(
                    self._site[name], name, self.file(name)
                )
        return self._trees[name]

    def code(self, name: str) -> CodeType | None:
        """Template `name` compiled; None if there is none."""
        if self.is_builtin(name):
            file = f"{BUILTIN}{name.removeprefix(BUILTIN)}"
            return builtin.code(self._builtin[name.removeprefix(BUILTIN)], file)
        if not is_template(name):
            return None
        if name in self._site and name not in self._codes:
            with self._told(name):
                self._codes[name] = builtin.compiler().compile(
                    self.tree(name), name, self.file(name)
                )
        return self._codes.get(name)

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Tell what Jinja finds wrong when it reads the site's template `name`."""
        file = self.file(name)
        try:
            yield
        except jinja2.TemplateSyntaxError as error:
            message = error.message or str(error)
            raise diagnostics.at(file, self._site[name], error.lineno, message) from error
        except RecursionError as error:
            raise InputError(f"{file}: has too many brackets or tags in one another") from error
        except SyntaxError as error:  # in the Python code that Jinja makes of it
            raise InputError(f"{file}: {error.msg}") from error

    def file(self, name: str) -> str:
        return f"{self._site_folder}/{name}" if name in self._site else f"{BUILTIN}{name}"

    @cached_property
    def _texts(self) -> dict[str, str]:
        """The text of each template by the name of its file."""
        builtin = {f"{BUILTIN}{name}": text for name, text in self._builtin.items()}
        return builtin | {self.file(name): text for name, text in self._site.items()}

    def _error(self, name: str, error: BaseException, message: str, hint: str = "") -> InputError:
        """`message` at the line that `error` was raised on: Jinja rewrites tracebacks to say so.

        Where that is in a built-in template, at the line of the site's that led there.
        """
        places = []
        traceback = error.__traceback__
        while traceback:
            if traceback.tb_frame.f_code.co_filename in self._texts:
                places.append((traceback.tb_frame.f_code.co_filename, traceback.tb_lineno))
            traceback = traceback.tb_next
        if not places:
            return InputError(f"{self.file(name)}: {message}", hint)
        file, line = last = places[-1]
        own = [place for place in places if not place[0].startswith(BUILTIN)]
        if own and own[-1] != last:
            message = f"{message} (in {file}:{line})"
            file, line = own[-1]
        return diagnostics.at(file, self._texts[file], line, message, hint)
