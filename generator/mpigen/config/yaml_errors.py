"""What PyYAML says of a file that is no YAML, in the words of the one who wrote it."""

import re

import yaml

# What PyYAML says of it (problem and context), what it means, and whether the place to look at
# is where the reading began (context) rather than where it could not go on (problem).
_MEANINGS = (
    (
        r"mapping values are not allowed",
        'no ": " can be here: is the line indented too far, or does its text need quotes?',
        False,
    ),
    (
        r"expected <block end>.*",
        "the line's indentation is that of no list or mapping above it",
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
    (r"another document", "a second document begins here: one file is one cluster", False),
)


def explain(error: yaml.MarkedYAMLError) -> tuple[str, yaml.Mark | None]:
    """The reason for `error` and the place to look at (counted from 0), None if unknown."""
    told = " ".join(part for part in (error.problem, error.context) if part)
    for pattern, meaning, at_context in _MEANINGS:
        match = re.search(pattern, told, re.DOTALL)
        if match:
            places = (error.context_mark, error.problem_mark)
            place = places[0] or places[1] if at_context else places[1] or places[0]
            return match.expand(meaning), place
    return told, error.problem_mark or error.context_mark
