"""A site's template over a built-in one: what it overrides, and what of it Jinja would drop."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

import jinja2
from jinja2 import nodes

from mpigen.artifacts.manifest import Override
from mpigen.errors import InputError


def changed_builtins(
    now: Iterable[Override], recorded: Iterable[Override]
) -> list[tuple[Override, Override]]:
    """Each override under which the built-in is not as it was recorded: then, and now."""
    then = {(each.path, each.block): each for each in recorded}
    pairs = ((then.get((each.path, each.block)), each) for each in now)
    # by lines, as the manifest keeps them
    return [
        (was, each)
        for was, each in pairs
        if was and was.builtin.splitlines() != each.builtin.splitlines()
    ]


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
    try:
        tree = jinja2.Environment().parse(there)
    except jinja2.TemplateSyntaxError as error:
        message = f"the site's template is wrong, line {error.lineno}: {error.message}"
        raise InputError(message, "Mend it first.") from error
    if base(tree) != extended or block in block_names(tree):
        return None
    return there + ("" if there.endswith("\n") else "\n") + added


def base(tree: nodes.Template) -> str:
    """The name of the template that `tree` extends; empty if it extends none, or not always one."""
    for node in tree.body:
        if isinstance(node, nodes.Extends) and isinstance(node.template, nodes.Const):
            return str(node.template.value)
    return ""


def block_names(tree: nodes.Template) -> set[str]:
    """The names of all blocks of `tree`."""
    return {block.name for block in tree.find_all(nodes.Block)}


def dropped(
    tree: nodes.Template, known: Collection[str], before: Mapping[str, str]
) -> Iterator[tuple[int, str, str]]:
    """What Jinja would drop of a template that extends one with the blocks `known`.

    That is a block that the other does not have, and what is outside of every block. `before` are
    blocks that it once had, and the version of mpigen then. Gives line, message and hint of each.
    """
    extended = base(tree)
    every = f"{extended} has {', '.join(sorted(known)) or 'no block'}."
    blocks = list(tree.find_all(nodes.Block))
    inner = {id(nested) for block in blocks for nested in block.find_all(nodes.Block)}
    for block in blocks:
        if block.name not in known and id(block) not in inner:
            near = difflib.get_close_matches(block.name, known, n=1, cutoff=0.6)
            message = f"{extended} has no block {block.name}"
            if block.name in before:
                message += f" any more: mpigen {before[block.name]} had it"
            message += f"; did you mean {near[0]}?" if near else ""
            yield block.lineno, message, every
    for line in _outside(tree.body):
        yield line, "text outside of a block", every


def _outside(body: list[nodes.Node]) -> Iterator[int]:
    """The line of each thing in `body` that prints."""
    for node in body:
        if isinstance(node, nodes.Output):
            if not all(map(_is_blank, node.nodes)):
                yield _first_line(node)
        elif isinstance(node, (nodes.Include, nodes.CallBlock, nodes.FilterBlock)):
            yield node.lineno
        elif isinstance(node, (nodes.If, nodes.For)):
            yield from _outside([*node.body, *getattr(node, "elif_", ()), *node.else_])
        elif isinstance(node, (nodes.With, nodes.Scope, nodes.ScopedEvalContextModifier)):
            yield from _outside(node.body)


def _is_blank(node: nodes.Node) -> bool:
    return isinstance(node, nodes.TemplateData) and not node.data.strip()


def _first_line(output: nodes.Output) -> int:
    """The line of the first thing in `output` that is not blank."""
    node = next(node for node in output.nodes if not _is_blank(node))
    text = node.data if isinstance(node, nodes.TemplateData) else ""
    return node.lineno + text[: len(text) - len(text.lstrip())].count("\n")


class Block(NamedTuple):
    """A block: its first and last line, counted from 1, and the text between its two tags."""

    name: str
    first: int
    last: int
    text: str


def find(environment: jinja2.Environment, source: str) -> list[Block]:
    """Every block of a template that Jinja can read, nested ones too, in the order they begin.

    The text of a block is as it is in `source`, tags of nested blocks included.
    """
    found: list[Block] = []
    # of each block that is open: name, first line, where in `source` its text begins
    open_blocks: list[tuple[str, int, int]] = []
    words: list[str] = []
    begins = position = 0
    for line, token, text in environment.lex(source):
        # what the lexer leaves out is white space, which no other token begins with by chance
        start = source.index(text, position)
        position = start + len(text)
        if token == "block_begin":
            words, begins = [], start
        elif token == "name":
            words.append(text)
        elif token == "block_end" and words[:1] == ["block"]:
            open_blocks.append((words[1], line, position))
        elif token == "block_end" and words[:1] == ["endblock"]:
            name, first, inside = open_blocks.pop()
            found.append(Block(name, first, line, source[inside:begins]))
    return sorted(found, key=lambda block: (block.first, -block.last))
