"""Sizes in Docker's notation: text to bytes, and bytes to text."""

import re

from mpigen.untrusted.quoting import shown

_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4, "p": 1024**5}
_TOO_LARGE = 2.0**63


def parse_bytes(text: str) -> int:
    """Convert a Docker size such as `512m` or `1.5GiB` to bytes (docker/go-units, RAMInBytes).

    Raises ValueError if Docker would refuse it.
    """
    # ASCII, or the kelvin sign would match k
    flags = re.IGNORECASE | re.ASCII
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?(?:([kmgtp])(?:i?b)?|b)?", text, flags)
    size = float(match[1]) * _UNITS[(match[2] or "").lower()] if match else _TOO_LARGE
    if size >= _TOO_LARGE:
        raise ValueError(f"{shown(text)} is not a size that Docker accepts: write 512m or 4g")
    return int(size)


def format_bytes(size: int) -> str:
    """Format `size` in the largest unit that divides it, such as `512m`."""
    unit = max((unit for unit in _UNITS if size % _UNITS[unit] == 0), key=_UNITS.__getitem__)
    return f"{size // _UNITS[unit]}{unit}"
