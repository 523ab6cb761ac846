"""A site's own output/.gitignore must keep private keys out of git, whatever else it has."""

import re

from mpigen.artifacts.paths import IGNORE, KEYS, PRIVATE_KEYS
from mpigen.errors import InputError
from mpigen.untrusted.quoting import shown

# gitignore(5): the last pattern that matches decides, and a file's own folder decides before others
_LINE = f"/{KEYS}/*"
_NAMES = [path.rpartition("/")[2] for path in PRIVATE_KEYS]


def refuse_admitting(text: str, origin: str) -> None:
    """Raise InputError if git would take private keys with `text` as output/.gitignore.

    It needs the line `/keys/*`. A negation below it is refused if its last part might match the
    name of a private key; so some that match none are refused as well. `origin` names the template.
    """
    # git ends lines at \n alone, and drops one \r before it
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    if _LINE not in lines:
        raise InputError(
            f"{origin} makes output/{IGNORE}, and lets private keys into git",
            f"It needs the line {_LINE}: see `mpigen templates show {IGNORE}`.",
        )
    below = lines[len(lines) - lines[::-1].index(_LINE) :]
    for line in below:
        if line.startswith("!") and any(_may_match(line[1:], name) for name in _NAMES):
            raise InputError(
                f"{origin} makes output/{IGNORE}, whose line {shown(line)} may let private keys "
                "into git",
                f"Write it above the line {_LINE}, which then takes precedence.",
            )


def _may_match(pattern: str, name: str) -> bool:
    """Whether the last part of a gitignore pattern might match the file name `name`.

    Judged by what is before its first wildcard and behind its last one; upper case counts as lower,
    as with core.ignoreCase.
    """
    # brackets may hold a slash
    last = re.sub(r"\[.*\]", "*", pattern.rstrip(" \t\r").lower())
    if last.endswith("/"):  # for folders alone
        return False
    last = last.rpartition("/")[2]
    wild = list(re.finditer(r"[*?\[\]]|\\.?", last))
    if not wild:
        return last == name
    return name.startswith(last[: wild[0].start()]) and name.endswith(last[wild[-1].end() :])
