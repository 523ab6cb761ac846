"""A site's templates over built-in ones: blocks, what changed below them, what Jinja would drop.

It finds the blocks of a template's source, compares overridden built-ins with those recorded at
the last render, writes new overrides (`mpigen templates eject`), and reports the parts of an
extending template that Jinja silently ignores.
"""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

import jinja2
from jinja2 import nodes

from mpigen.artifacts.manifest import Override
from mpigen.errors import InputError
from mpigen.untrusted.quoting import clip


class Block(NamedTuple):
    """A block: its first and last line, counted from 1, and the text between its two tags."""

    name: str
    first: int
    last: int
    text: str


def find_blocks(environment: jinja2.Environment, source: str) -> list[Block]:
    """All blocks of a valid template, nested ones included, in the order of their first lines.

    The text of a block is copied from `source`, including the tags of nested blocks.
    """
    found: list[Block] = []
    # Of each open block: name, first line, and the position in `source` where its text begins.
    open_blocks: list[tuple[str, int, int]] = []
    words: list[str] = []
    tag_start = position = 0
    for line, token, text in environment.lex(source):
        # The lexer skips white space only, and no other token can begin within that.
        start = source.index(text, position)
        position = start + len(text)
        if token == "block_begin":
            words, tag_start = [], start
        elif token == "name":
            words.append(text)
        elif token == "block_end" and words[:1] == ["block"]:
            open_blocks.append((words[1], line, position))
        elif token == "block_end" and words[:1] == ["endblock"]:
            name, first, text_start = open_blocks.pop()
            found.append(Block(name, first, line, source[text_start:tag_start]))
    return sorted(found, key=lambda block: (block.first, -block.last))


def base(tree: nodes.Template) -> str:
    """The name of the template that `tree` extends; empty if none, or if it is computed."""
    for node in tree.body:
        if isinstance(node, nodes.Extends) and isinstance(node.template, nodes.Const):
            return str(node.template.value)
    return ""


def block_names(tree: nodes.Template) -> set[str]:
    """The names of all blocks of `tree`."""
    return {block.name for block in tree.find_all(nodes.Block)}


def changed_builtins(
    now: Iterable[Override], recorded: Iterable[Override]
) -> list[tuple[Override, Override]]:
    """Overrides whose built-in text differs from the recorded one, as (recorded, now)."""
    then = {(each.path, each.block): each for each in recorded}
    pairs = ((then.get((each.path, each.block)), each) for each in now)
    # The manifest stores texts as lists of lines, so compare lines.
    return [
        (was, each)
        for was, each in pairs
        if was and was.builtin.splitlines() != each.builtin.splitlines()
    ]


def eject(extended: str, builtin: str, block: str, there: str | None) -> str | None:
    """The new text of a site's template that changes no artifact yet, for the user to edit.

    A copy of the text `builtin`, or with `block` a template that extends `extended` with a block
    of `super()` alone. `there` is the site's present text: the block is appended to it if it
    extends `extended` too. Returns None if a file or block of the user would be overwritten, and
    raises InputError for a syntax error in `there`.
    """
    if not block:
        return builtin if there is None else None
    extends = f'{{% extends "{extended}" %}}\n'
    # The dash removes the newline that follows, because super() ends with its own.
    added = f"{{% block {block} %}}\n{{{{ super() -}}}}\n{{% endblock %}}\n"
    if there is None:
        return extends + added
    try:
        tree = jinja2.Environment().parse(there)
    except jinja2.TemplateSyntaxError as error:
        message = (
            f"the site's template has an error in line {error.lineno}: {clip(error.message or '')}"
        )
        raise InputError(message, "Fix it first.") from error
    if base(tree) != extended or block in block_names(tree):
        return None
    return there + ("" if there.endswith("\n") else "\n") + added


def dropped(
    tree: nodes.Template, known: Collection[str], before: Mapping[str, str]
) -> Iterator[tuple[int, str, str]]:
    """Line, message and hint of each part of an extending template that Jinja would ignore.

    Jinja ignores blocks other than `known`, the blocks of the extended templates, and text outside
    of blocks. `before` maps blocks that the built-in template once had to mpigen's version then.
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
    for line in _printing_lines(tree.body):
        yield line, "text outside of a block", every


def _printing_lines(body: list[nodes.Node]) -> Iterator[int]:
    """The line of each node in `body`, outside of blocks, that prints."""
    for node in body:
        if isinstance(node, nodes.Output):
            if not all(map(_is_blank, node.nodes)):
                yield _first_line(node)
        elif isinstance(node, (nodes.Include, nodes.CallBlock, nodes.FilterBlock)):
            yield node.lineno
        elif isinstance(node, (nodes.If, nodes.For)):
            yield from _printing_lines([*node.body, *getattr(node, "elif_", ()), *node.else_])
        elif isinstance(node, (nodes.With, nodes.Scope, nodes.ScopedEvalContextModifier)):
            yield from _printing_lines(node.body)


def _is_blank(node: nodes.Node) -> bool:
    """Whether the node is white space only."""
    return isinstance(node, nodes.TemplateData) and not node.data.strip()


def _first_line(output: nodes.Output) -> int:
    """The line of the first visible character or expression in `output`."""
    node = next(node for node in output.nodes if not _is_blank(node))
    text = node.data if isinstance(node, nodes.TemplateData) else ""
    return node.lineno + text[: len(text) - len(text.lstrip())].count("\n")
