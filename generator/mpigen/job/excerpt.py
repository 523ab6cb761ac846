"""Which part of a job's log is wanted, by the options of `docker logs`."""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mpigen.errors import InputError

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z")
_SECONDS = re.compile(r"\d+(\.\d{1,9})?")


@dataclass(frozen=True)
class Excerpt:
    """The last `tail` lines (None: all) that are not older than `since`, a Unix timestamp or "".

    With `timestamps` each line begins with its time.
    """

    tail: int | None = None
    since: str = ""
    timestamps: bool = False

    @property
    def options(self) -> list[str]:
        """The options of `docker service logs`."""
        return [
            *(["--since", self.since] if self.since else []),
            *(["--tail", str(self.tail)] if self.tail is not None else []),
            *(["--timestamps"] if self.timestamps else []),
        ]


def parse(tail: str, since: str, timestamps: bool, now: float) -> Excerpt:
    """The excerpt that the user wants; `now` is a Unix timestamp.

    `tail` is a number or "all", `since` a time, or a duration before now such as 10m.
    Raises InputError with every problem.
    """
    wrong = []
    if tail != "all" and not re.fullmatch(r"[0-9]+", tail):
        wrong.append(f"--tail {tail}: this is neither a number of lines nor `all`")
    start = _since(since, now) if since else ""
    if start is None:
        wrong.append(
            f"--since {since}: this is not a time; write 10m, 1h30m, 2026-11-30, "
            "2026-11-30T08:00:00Z or seconds since 1970"
        )
    if wrong:
        raise InputError("\n".join(wrong))
    return Excerpt(None if tail == "all" else int(tail), start or "", timestamps)


def _since(text: str, now: float) -> str | None:
    """A time as a Unix timestamp; None if it is none."""
    if _SECONDS.fullmatch(text):
        return text
    if found := _DURATION.fullmatch(text):
        pairs = zip(found.groups(), _UNITS.values(), strict=True)
        return f"{max(0.0, now - sum(float(part or 0) * size for part, size in pairs)):.9f}"
    try:
        return f"{datetime.fromisoformat(text).timestamp():.9f}"
    except (ValueError, OverflowError):
        return None


def has_time(line: str) -> bool:
    """Whether a line begins with a time, as all do that `--timestamps` printed."""
    return _TIME.fullmatch(line.partition(" ")[0]) is not None


def after(line: str) -> str:
    """The Unix timestamp of the nanosecond after a line that `--timestamps` printed."""
    return f"{_time_of(line) + Decimal('1e-9'):.9f}"


def at(line: str) -> str:
    """The Unix timestamp of a line that `--timestamps` printed."""
    return f"{_time_of(line):.9f}"


def _time_of(line: str) -> Decimal:
    text = line.partition(" ")[0]
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = int(datetime.fromisoformat(f"{whole}+00:00").timestamp())
    return Decimal(seconds) + Decimal(f"0.{fraction or 0}")
