"""Which templates a template names: those it extends, includes or imports from."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from jinja2 import nodes

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
