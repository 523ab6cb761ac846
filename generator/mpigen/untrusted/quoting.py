"""Values in messages: short, and without characters that a terminal would act on."""

import unicodedata

LONGEST = 60
"""The most characters of a value that a message quotes: no message holds a key or a whole file."""
LONGEST_REASON = 300
"""The most characters of another library's message, which may quote values too."""

_ELLIPSIS = "..."


def shown(value: object) -> str:
    """Return `value` as Python writes it, cut to about `LONGEST` characters."""
    if isinstance(value, str) and len(value) > LONGEST:
        return repr(value[: LONGEST - len(_ELLIPSIS)])[:-1][:LONGEST] + f"{_ELLIPSIS}'"
    try:
        return clip(repr(value))
    except (ValueError, RecursionError):  # an integer of more than 4,300 digits, or nested lists
        return f"a {type(value).__name__} that is too large to show"


def foreign(text: str) -> str:
    """Name the first letter of `text` that is not ASCII, in brackets: some look alike."""
    letter = next((each for each in text if not each.isascii() and each.isalpha()), "")
    return f" ({letter} is {unicodedata.name(letter, 'no ASCII')})" if letter else ""


def clip(text: str, longest: int = LONGEST) -> str:
    """Return `text` cut to `longest` characters, and printable."""
    if len(text) > longest:
        text = text[: longest - len(_ELLIPSIS)] + _ELLIPSIS
    return printable(text)


def printable(text: str) -> str:
    """Return `text` with escapes for all that is neither printable nor a newline or a tab.

    Control characters steer terminals, direction marks (U+202A to U+202E, U+2066 to U+2069)
    reorder what is read, and lone surrogates cannot be printed.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in "\n\t" else ascii(each)[1:-1] for each in text
    )
