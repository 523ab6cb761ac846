"""PyYAML's syntax errors, explained in terms of the user's file."""

import re

import yaml

from mpigen.untrusted.quoting import LONGEST, LONGEST_REASON, clip, shown

_INDENTATION = "the line's indentation matches no list or mapping above it"
# PyYAML's message (problem and context), the explanation, and whether to report the place where
# the construct begins (context) instead of the place where parsing stopped (problem).
_EXPLANATIONS = (
    (
        r"mapping values are not allowed",
        '": " is not allowed here: is the line indented too far, or does its text need quotes?',
        False,
    ),
    (
        r"expected <block end>.*",
        _INDENTATION,
        False,
    ),
    (r"found character '\\t'", "a tab: indent with spaces", False),
    (r"end of stream.*quoted scalar", "the quote that begins here is never closed", True),
    (r"could not find expected ':'", 'a key needs ": " and its value on the same line', True),
    (
        r"expected ',' or '([]}])'",
        r"the bracket that opens here is not closed by \1, or a comma is missing in it",
        True,
    ),
    (
        r"found character '(.)' that cannot start",
        r"text that begins with \1 must be in quotes",
        False,
    ),
    (
        r"found undefined alias '(.+)'",
        r"*\1 is an alias, and no &\1 is above it; text that begins with * must be in quotes",
        False,
    ),
    (
        r"expected '<document start>'",
        "the mapping above ends here, and this is not part of it: a file is one mapping of keys "
        "to values",
        False,
    ),
    (
        r"could not determine a constructor for the tag '(.+)'",
        r"the tag \1 is not supported",
        False,
    ),
    (r"another document", "a second document begins here: a file has only one", False),
)


# what the tags of YAML's scalars stand for
_KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "timestamp": "a date",
    "binary": "base64",
}


def explain(error: yaml.MarkedYAMLError, text: str) -> tuple[str, yaml.Mark | None]:
    """Return the explanation of `error` in `text` and its place (from 0), None if unknown."""
    message = " ".join(part for part in (error.problem, error.context) if part)
    # an alias and a tag may have any length
    message = re.sub(rf"'([^']{{{LONGEST}}})[^']+'", r"'\1...'", message)
    for pattern, explanation, at_context in _EXPLANATIONS:
        match = re.search(pattern, message, re.DOTALL)
        if match:
            places = (error.context_mark, error.problem_mark)
            place = places[0] or places[1] if at_context else places[1] or places[0]
            hint = _commented(text, place) if explanation == _INDENTATION and place else ""
            return match.expand(explanation) + hint, place
    return clip(message, LONGEST_REASON), error.problem_mark or error.context_mark


def _commented(text: str, place: yaml.Mark) -> str:
    """Ask for the section of the line at `place` if the lines above it have that as a comment."""
    for line in reversed(text.splitlines()[: place.line]):
        section = re.fullmatch(r"( *)(# ?(?:- )?[a-z_]+:)(?: *#.*)?\s*", line)
        if section and len(section[1]) < place.column:
            return f": is the line of its section ({clip(section[2])}) still a comment?"
        if line.strip() and not line.lstrip().startswith("#"):
            return ""
    return ""


def misread(node: yaml.ScalarNode, value: object) -> str:
    """Return why the number `value` is hardly what its author meant by `node`; empty if it is.

    YAML 1.1, which Docker reads too, has octal numbers (012) and those of base 60 (1:30).
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or node.style:
        return ""
    octal = isinstance(value, int) and re.fullmatch(r"[-+]?0[0-9_]+", node.value)
    if not octal and ":" not in node.value:
        return ""
    way = "leave out the 0 in front" if octal else "write that number"
    read = f"YAML reads {clip(node.value)} as the number {shown(value)}"
    return f"{read}: {way}, or put it in quotes if it is text"


def explain_value(node: yaml.Node, error: Exception) -> str:
    """Return why a scalar has no value, where PyYAML's constructor raised `error`."""
    kind = node.tag.rpartition(":")[2]
    what = _KINDS.get(kind, clip(kind))
    if isinstance(error, ValueError) and kind == "timestamp":  # such as 2026-99-99
        return clip(str(error), LONGEST_REASON)
    return f"{shown(node.value)} cannot be read as {what}: put it in quotes if it is text"
