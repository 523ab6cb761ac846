"""What is wrong in a site's templates that can be told without rendering them."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from jinja2 import nodes

from mpigen.errors import InputError
from mpigen.render import builtin, diagnostics, overrides
from mpigen.render.builtin import BUILTIN
from mpigen.render.diagnostics import nearest
from mpigen.render.files import is_template
from mpigen.render.templates import Templates

_Found = Iterator[tuple[int, str, str]]
"""Line, message and hint of each thing that is wrong in a template."""


def check(templates: Templates) -> None:
    """Raise InputError, with all that is wrong, if a template of the site is."""
    own = filter(is_template, templates.of_site)
    errors = [error for name in own for error in _wrong(templates, name)]
    if errors:
        raise diagnostics.together(errors)


def _wrong(templates: Templates, name: str) -> Iterator[InputError]:
    """What is wrong in the site's template `name`."""
    try:
        tree = templates.tree(name)
    except InputError as error:
        yield error
        return
    found = [
        *_unknown(tree),
        *_not_there(templates, name, tree),
        *_round(templates, name),
        *_dropped(templates, name, tree),
    ]
    for line, message, hint in sorted(found, key=lambda each: each[0]):
        file, text = templates.file(name), templates.own(name) or ""
        yield diagnostics.at(file, text, line, message, hint)
    if found:
        return
    try:
        templates.code(name)
    except InputError as error:
        yield error


def _unknown(tree: nodes.Template) -> _Found:
    """The filters and tests of `tree` that there are not."""
    known = builtin.compiler()
    for kind, node_type, names in (
        ("filter", nodes.Filter, known.filters),
        ("test", nodes.Test, known.tests),
    ):
        for node in tree.find_all(node_type):
            name = getattr(node, "name", "")
            if name not in names:
                yield node.lineno, f"there is no {kind} {name!r}; {nearest(name, names)}", ""


def _not_there(templates: Templates, name: str, tree: nodes.Template) -> _Found:
    """The templates that `tree` names and that there are not."""
    for reference in references(tree):
        if templates.exists(reference.name) or reference.optional:
            continue
        message, hint = templates.missing(reference.name)
        versions = set(templates.recorded(name).values())
        if versions and reference.name == f"{BUILTIN}{name}":
            message += f" (mpigen {versions.pop()} had it)"
        yield reference.line, message, hint


def _round(templates: Templates, name: str) -> _Found:
    """Whether `name` leads back to itself; of those that go round together the first tells it."""

    def named_by(other: str) -> list[Reference]:
        try:
            return [] if templates.is_builtin(other) else [*references(templates.tree(other))]
        except (InputError, KeyError):  # told where it is read, or named
            return []

    found = way_back(name, named_by)
    if found and name == min(found[1]):
        reference, way = found
        message = f"{reference.verb} itself"
        message += f", by way of {', '.join(way[:-1])}" if way[:-1] else ""
        hint = f'To change the built-in, write {{% extends "{BUILTIN}{name}" %}}.'
        yield reference.line, message, hint if templates.exists(f"{BUILTIN}{name}") else ""


def _dropped(templates: Templates, name: str, tree: nodes.Template) -> _Found:
    """What Jinja would drop of `tree`, where it extends another."""
    try:
        above = templates.lineage(name)[1:]
        if above and all(map(templates.exists, above)):
            known = {block for each in above for block in templates.block_names(each)}
            yield from overrides.dropped(tree, known, templates.recorded(name))
    except InputError:  # of another template, and told there
        return


_VERBS: dict[type[nodes.Node], str] = {
    nodes.Extends: "extends",
    nodes.Include: "includes",
    nodes.Import: "imports",
    nodes.FromImport: "imports",
}


class Reference(NamedTuple):
    """A template's name in another, and the line; `verb` is what is done with it.

    `optional` tells that it need not be there: `ignore missing`.
    """

    line: int
    verb: str
    name: str
    optional: bool


def references(tree: nodes.Template) -> Iterator[Reference]:
    """The templates that `tree` names in so many words; a name that is computed is not known."""
    for node in tree.find_all(tuple(_VERBS)):
        name = getattr(node, "template", None)
        if isinstance(name, nodes.Const) and isinstance(name.value, str):
            optional = getattr(node, "ignore_missing", False)
            yield Reference(node.lineno, _VERBS[type(node)], name.value, optional)


def way_back(
    name: str, named_by: Callable[[str], list[Reference]]
) -> tuple[Reference, list[str]] | None:
    """The reference of template `name` that leads back to it, and the names on the way; or None.

    Jinja would go round for ever.
    """
    for first in named_by(name):
        ways, seen = [[first.name]], {first.name}
        while ways:
            way = ways.pop()
            if way[-1] == name:
                return first, way
            for reference in named_by(way[-1]):
                if reference.name == name or reference.name not in seen:
                    seen.add(reference.name)
                    ways.append([*way, reference.name])
    return None
