"""Checks of a site's templates without rendering them.

Reported are syntax errors, unknown filters and tests, references to missing templates, templates
that extend or include themselves, and parts of an extending template that Jinja would ignore.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from jinja2 import nodes

from mpigen.errors import InputError
from mpigen.render import builtin, diagnostics, overrides
from mpigen.render.diagnostics import nearest
from mpigen.render.files import BUILTIN, is_template
from mpigen.render.templates import Templates
from mpigen.untrusted.quoting import shown

_Problems = Iterator[tuple[int, str, str]]
"""Line, message and hint of each problem in a template."""

_VERBS: dict[type[nodes.Node], str] = {
    nodes.Extends: "extends",
    nodes.Include: "includes",
    nodes.Import: "imports",
    nodes.FromImport: "imports",
}


class _Reference(NamedTuple):
    """A reference to the template `name`; `verb` is how it is used: "extends", "includes", ...

    `optional` means that the template may be missing: `ignore missing`.
    """

    line: int
    verb: str
    name: str
    optional: bool


def check(templates: Templates) -> None:
    """Raise InputError with every problem in the site's templates, if there are any."""
    own = filter(is_template, templates.site_files)
    errors = [error for name in own for error in _errors(templates, name)]
    if errors:
        raise diagnostics.together(errors)


def _errors(templates: Templates, name: str) -> Iterator[InputError]:
    """The problems in the site's template `name`, sorted by line."""
    try:
        tree = templates.tree(name)
    except InputError as error:
        yield error
        return
    problems = [
        *_unknown_filters(tree),
        *_missing_templates(templates, name, tree),
        *_cycles(templates, name),
        *_dropped(templates, name, tree),
    ]
    for line, message, hint in sorted(problems, key=lambda each: each[0]):
        file, text = templates.file(name), templates.own(name) or ""
        yield diagnostics.at(file, text, line, message, hint)
    if problems:
        return
    try:
        templates.code(name)
    except InputError as error:
        yield error


def _unknown_filters(tree: nodes.Template) -> _Problems:
    """The filters and tests in `tree` that do not exist."""
    known = builtin.compiler()
    for kind, node_type, names in (
        ("filter", nodes.Filter, known.filters),
        ("test", nodes.Test, known.tests),
    ):
        for node in tree.find_all(node_type):
            name = getattr(node, "name", "")
            if name not in names:
                yield node.lineno, f"there is no {kind} {shown(name)}; {nearest(name, names)}", ""


def _missing_templates(templates: Templates, name: str, tree: nodes.Template) -> _Problems:
    """The references in `tree` to templates that do not exist."""
    for reference in _references(tree):
        if templates.exists(reference.name) or reference.optional:
            continue
        message, hint = templates.missing(reference.name)
        versions = set(templates.recorded(name).values())
        if versions and reference.name == f"{BUILTIN}{name}":
            message += f" (mpigen {versions.pop()} had it)"
        yield reference.line, message, hint


def _cycles(templates: Templates, name: str) -> _Problems:
    """The cycle of references through `name`; the first name of a cycle reports it, once."""

    def references_of(other: str) -> list[_Reference]:
        try:
            return [] if templates.is_builtin(other) else [*_references(templates.tree(other))]
        except (InputError, KeyError):  # reported for the other template, or as a missing one
            return []

    cycle = _find_cycle(name, references_of)
    if cycle and name == min(cycle[1]):
        reference, path = cycle
        message = f"{reference.verb} itself"
        message += f", through {', '.join(path[:-1])}" if path[:-1] else ""
        hint = f'To change the built-in, write {{% extends "{BUILTIN}{name}" %}}.'
        yield reference.line, message, hint if templates.exists(f"{BUILTIN}{name}") else ""


def _dropped(templates: Templates, name: str, tree: nodes.Template) -> _Problems:
    """The parts of `tree` that Jinja would ignore, if it extends another template."""
    try:
        extended = templates.lineage(name)[1:]
        if extended and all(map(templates.exists, extended)):
            known = {block for each in extended for block in templates.block_names(each)}
            yield from overrides.dropped(tree, known, templates.recorded(name))
    except InputError:  # in an extended template, which reports it itself
        return


def _references(tree: nodes.Template) -> Iterator[_Reference]:
    """The references in `tree` to other templates, except those with a computed name."""
    for node in tree.find_all(tuple(_VERBS)):
        name = getattr(node, "template", None)
        if isinstance(name, nodes.Const) and isinstance(name.value, str):
            optional = getattr(node, "ignore_missing", False)
            yield _Reference(node.lineno, _VERBS[type(node)], name.value, optional)


def _find_cycle(
    name: str, references_of: Callable[[str], list[_Reference]]
) -> tuple[_Reference, list[str]] | None:
    """The reference of template `name` that leads back to it, and the names on the path; or None.

    Jinja would recurse without end.
    """
    for first in references_of(name):
        paths, seen = [[first.name]], {first.name}
        while paths:
            path = paths.pop()
            if path[-1] == name:
                return first, path
            for reference in references_of(path[-1]):
                if reference.name == name or reference.name not in seen:
                    seen.add(reference.name)
                    paths.append([*path, reference.name])
    return None
