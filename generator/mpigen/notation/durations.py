"""Durations as people write them: 90s, 10m, 2h, 1h30m."""

import re

PATTERN = r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?"


def parse_duration(text: str) -> int:
    """The seconds of a duration. Raises ValueError for what is none, or 0."""
    found = re.fullmatch(PATTERN, text)
    if found:
        days, hours, minutes, rest = (int(part or 0) for part in found.groups())
        total = ((days * 24 + hours) * 60 + minutes) * 60 + rest
        if total:
            return total
    raise ValueError(f"{text!r} is not a duration: write it like 90s, 10m, 2h or 1h30m")
