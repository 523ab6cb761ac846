"""A site's template over a built-in one: what it overrides, and what of it Jinja would drop."""

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import jinja2
from jinja2 import nodes

from mpigen import template_errors


@dataclass(frozen=True)
class Override:
    """What of the built-in template `path` a site overrides: a block, or all if `block` is empty.

    `path` is the artifact's; `builtin` is the text that is overridden.
    """

    path: str
    block: str
    builtin: str

    def __str__(self) -> str:
        return f"the block {self.block} of {self.path}" if self.block else self.path


def moved(now: Iterable[Override], recorded: Iterable[Override]) -> list[tuple[Override, Override]]:
    """Each override under which the built-in is not as it was recorded: then, and now."""
    then = {(each.path, each.block): each for each in recorded}
    pairs = ((then.get((each.path, each.block)), each) for each in now)
    return [(was, each) for was, each in pairs if was and was.builtin != each.builtin]


def eject(extended: str, builtin: str, block: str, there: str | None) -> str | None:
    """The text of a site's template that overrides nothing yet, to start from.

    A copy of `builtin`, or with `block` a block that gives what that of `extended` gives. `there`
    is what the site has: a block goes behind those of an extending template. None if there is
    something already that this would overwrite.
    """
    if not block:
        return builtin if there is None else None
    extends = f'{{% extends "{extended}" %}}\n'
    # the dash takes the newline away that follows: super() ends with its own
    added = f"{{% block {block} %}}\n{{{{ super() -}}}}\n{{% endblock %}}\n"
    if there is None:
        return extends + added
    tree = jinja2.Environment().parse(there)
    if base(tree) != extended or block in block_names(tree):
        return None
    return there + ("" if there.endswith("\n") else "\n") + added


def base(tree: nodes.Template) -> str:
    """The name of the template that `tree` extends; empty if it extends none."""
    extends = tree.find(nodes.Extends)
    if extends and isinstance(extends.template, nodes.Const):
        return str(extends.template.value)
    return ""


def block_names(tree: nodes.Template) -> set[str]:
    """The names of all blocks of `tree`."""
    return {block.name for block in tree.find_all(nodes.Block)}


def check(tree: nodes.Template, known: Collection[str], file: str, text: str) -> None:
    """Refuse what Jinja would drop from a template that extends one with the blocks `known`.

    That is a block that the other does not have, and text outside of every block. Raises
    InputError with the line in `file`, whose text is `text`.
    """
    extended = base(tree)
    every = f"It has {', '.join(sorted(known))}."
    blocks = list(tree.find_all(nodes.Block))
    inner = {id(nested) for block in blocks for nested in block.find_all(nodes.Block)}
    for block in blocks:
        if block.name not in known and id(block) not in inner:
            near = difflib.get_close_matches(block.name, known, n=1, cutoff=0.6)
            message = f"{extended} has no block {block.name}"
            message += f"; did you mean {near[0]}?" if near else ""
            raise template_errors.at(file, text, block.lineno, message, every)
    for output in tree.body:
        if isinstance(output, nodes.Output) and not all(map(_is_blank, output.nodes)):
            hint = every.replace("It has", f"{extended} has")
            message = "text outside of a block"
            raise template_errors.at(file, text, _first_line(output), message, hint)


def _is_blank(node: nodes.Node) -> bool:
    return isinstance(node, nodes.TemplateData) and not node.data.strip()


def _first_line(output: nodes.Output) -> int:
    """The line of the first thing in `output` that is not blank."""
    node = next(node for node in output.nodes if not _is_blank(node))
    text = node.data if isinstance(node, nodes.TemplateData) else ""
    return node.lineno + text[: len(text) - len(text.lstrip())].count("\n")
