"""The named blocks of a template: where each is, and what is in it."""

from typing import NamedTuple

import jinja2


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
