"""The source file of each artifact, from the built-in templates and a site's, and its text.

The built-in files mirror output/: `templates/a/b.j2` is rendered to `output/a/b`, and
`templates/a/b` is copied there. A site's own `templates/` is overlaid: a file for the same path
replaces the built-in one, or extends it with `{% extends "builtin/a/b.j2" %}`; a file for a new
path adds an artifact.
"""

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from types import CodeType

import jinja2
from jinja2 import nodes

from mpigen.artifacts.manifest import Override
from mpigen.errors import InputError
from mpigen.render import builtin, diagnostics, files, overrides, quote, sandbox
from mpigen.render.files import BUILTIN, artifact, is_template
from mpigen.render.overrides import Block

# Exceptions that expressions of a template may raise: the template is at fault, not mpigen.
_TEMPLATE_FAULTS = (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError)


def builtin_folder() -> Path:
    """The folder of the built-in files: in the installed package, or beside it in a checkout."""
    installed = Path(__file__).parents[1] / "templates"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "templates"


class Templates:
    """The built-in files overlaid with a site's, both templates and copied files.

    `recorded` are the site's overrides as the last render recorded them, and `version` is the
    mpigen version of that render.
    """

    def __init__(
        self, site: Path | None = None, recorded: Iterable[Override] = (), version: str = ""
    ) -> None:
        self._builtin_folder = builtin_folder()
        self._builtin = builtin.read_builtin(self._builtin_folder)
        self._builtin_names = {artifact(name): name for name in self._builtin}
        own = files.read_site(site) if site else {}
        # An unchanged copy counts as built-in: mpigen's own checkout is a site full of them.
        self._site = {name: text for name, text in own.items() if text != self._builtin.get(name)}
        self._site_folder = site
        self._recorded: dict[str, dict[str, str]] = {}
        for each in recorded:
            self._recorded.setdefault(each.path, {})[each.block] = version
        # For the site's own templates; builtin.py caches the built-in ones for all sites.
        self._trees: dict[str, nodes.Template] = {}
        self._codes: dict[str, CodeType] = {}
        self._environments: dict[quote.Quote, jinja2.Environment] = {}

    @cached_property
    def names(self) -> list[str]:
        """The source file of each artifact, as `a/b.j2` or `a/b`, sorted."""
        own = {artifact(name): name for name in self._site}
        return sorted((self._builtin_names | own).values())

    @property
    def site_files(self) -> list[str]:
        """The site's own files that differ from the built-in ones, sorted."""
        return sorted(self._site)

    def origin(self, name: str) -> str:
        """The origin of the file `name` for messages: `templates/NAME` or `builtin/NAME`."""
        return f"templates/{name}" if name in self._site else f"{BUILTIN}{name}"

    def builtin_name(self, name: str) -> str | None:
        """The built-in file for the same artifact as `name`, template or copied, if any."""
        return self._builtin_names.get(artifact(name))

    def builtin(self, name: str) -> str | None:
        """The text of the built-in file for the same artifact as `name`, if any."""
        return self._builtin.get(self.builtin_name(name) or "")

    def own(self, name: str) -> str | None:
        """The text of the site's file `name`, if it exists and differs from the built-in one."""
        return self._site.get(name)

    def blocks(self, name: str) -> list[Block]:
        """The blocks of the built-in file `name`; none for a copied file."""
        return builtin.blocks(self._builtin[name]) if is_template(name) else []

    def block_names(self, name: str) -> set[str]:
        """The names of the blocks of template `name`, given as in `extends`."""
        if self.is_builtin(name):
            return {block.name for block in self.blocks(name.removeprefix(BUILTIN))}
        return overrides.block_names(self.tree(name))

    def overrides(self) -> list[Override]:
        """Overridden blocks and files, sorted by path, blocks in the order of the built-in file."""
        return [override for name in self.site_files for override in self._overrides(name)]

    def _overrides(self, name: str) -> list[Override]:
        path, replaced = artifact(name), self.builtin(name)
        *own, root = self.lineage(name)
        if not self.is_builtin(root):
            return [Override(path, "", replaced)] if replaced is not None else []
        redefined = {block for each in own for block in self.block_names(each)}
        return [
            Override(path, block.name, block.text)
            for block in self.blocks(root.removeprefix(BUILTIN))
            if block.name in redefined
        ]

    def recorded(self, name: str) -> dict[str, str]:
        """Blocks that template `name` overrode at the last render -> the mpigen version of it."""
        return self._recorded.get(artifact(name), {})

    def render(self, name: str, context: Mapping[str, object]) -> str:
        """The text of an artifact: the output of template `name`, or the copied file `name`.

        The site's templates must have passed lint.check. Raises InputError with the template's
        file and line, and an excerpt around it.
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
        except _TEMPLATE_FAULTS as error:
            raise self._error(name, error, str(error)) from error
        except Exception as error:
            if not own:
                raise
            # Jinja's filters accept any value, and raise exceptions of any kind.
            raise self._error(name, error, f"{type(error).__name__}: {error}") from error

    def lineage(self, name: str) -> list[str]:
        """Template `name` followed by the chain of templates that it extends."""
        names = [name]
        while names[-1] in self._site and is_template(names[-1]):
            base = overrides.base(self.tree(names[-1]))
            if not base or base in names:
                break
            names.append(base)
        return names

    def is_builtin(self, name: str) -> bool:
        """Whether the template `name`, given as in `extends`, is a built-in one."""
        if not is_template(name):
            return False
        if name.startswith(BUILTIN) and name.removeprefix(BUILTIN) in self._builtin:
            return True
        return name in self._builtin and name not in self._site

    def exists(self, name: str) -> bool:
        """Whether the template `name`, given as in `extends`, exists."""
        return self.is_builtin(name) or (name in self._site and is_template(name))

    def missing(self, name: str) -> tuple[str, str]:
        """The message and hint for a reference to the missing template `name`."""
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
        """The syntax tree of the site's template `name`. Raises InputError for a syntax error."""
        if name not in self._trees:
            with diagnostics.locating_errors(self.file(name), self._site[name]):
                self._trees[name] = builtin.compiler().parse(
                    self._site[name], name, self.file(name)
                )
        return self._trees[name]

    def code(self, name: str) -> CodeType | None:
        """The compiled code of template `name`; None if it does not exist."""
        if self.is_builtin(name):
            file = f"{BUILTIN}{name.removeprefix(BUILTIN)}"
            return builtin.code(self._builtin[name.removeprefix(BUILTIN)], file)
        if not is_template(name):
            return None
        if name in self._site and name not in self._codes:
            with diagnostics.locating_errors(self.file(name), self._site[name]):
                self._codes[name] = builtin.compiler().compile(
                    self.tree(name), name, self.file(name)
                )
        return self._codes.get(name)

    def file(self, name: str) -> str:
        """The file name of template `name` in tracebacks and errors."""
        return f"{self._site_folder}/{name}" if name in self._site else f"{BUILTIN}{name}"

    @cached_property
    def _texts(self) -> dict[str, str]:
        """Every template's text by its file name in tracebacks."""
        builtin = {f"{BUILTIN}{name}": text for name, text in self._builtin.items()}
        return builtin | {self.file(name): text for name, text in self._site.items()}

    def _error(self, name: str, error: BaseException, message: str, hint: str = "") -> InputError:
        """An error with `message`, at the line of the site's template that raised `error`."""
        return diagnostics.at_traceback(self.file(name), self._texts, error, message, hint)
