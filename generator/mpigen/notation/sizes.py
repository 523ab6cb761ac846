"""Sizes as Docker writes them: text to bytes, and bytes to text."""

import re

_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4, "p": 1024**5}
_TOO_LARGE = 2.0**63


def parse_bytes(text: str) -> int:
    """Bytes in a Docker size such as `512m` or `1.5GiB` (docker/go-units, RAMInBytes).

    Raises ValueError where Docker would.
    """
    # ASCII: else the sign for kelvin is a k
    flags = re.IGNORECASE | re.ASCII
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?(?:([kmgtp])(?:i?b)?|b)?", text, flags)
    size = float(match[1]) * _UNITS[(match[2] or "").lower()] if match else _TOO_LARGE
    if size >= _TOO_LARGE:
        raise ValueError(f"{text!r} is no size that Docker takes: write 512m or 4g")
    return int(size)


def format_bytes(size: int) -> str:
    """`size` as people write it: in the largest unit that it is a whole number of."""
    unit = max((unit for unit in _UNITS if size % _UNITS[unit] == 0), key=_UNITS.__getitem__)
    return f"{size // _UNITS[unit]}{unit}"
