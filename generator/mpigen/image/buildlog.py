"""The steps in the output of `docker build`: classic builder, or BuildKit's plain progress."""

import re
from dataclasses import dataclass, field

# Step 3/12 : RUN apt-get update
_CLASSIC = re.compile(r"Step (\d+/\d+) : (.*)")
# #7 [build 2/6] RUN apt-get update
_BUILDKIT = re.compile(r"#(\d+) \[([^\]]+)\] (.*)")
# #7 12.34 Reading package lists...
_PREFIX = re.compile(r"^#\d+ [\d.]+ ")
# the classic builder shows errors in red
_COLOURS = re.compile(r"\x1b\[[\d;]*m")
_WIDTH = 58
"""A tick, the seconds, a step and its own time fit into 80 columns."""


@dataclass
class BuildLog:
    """The lines of a build so far."""

    lines: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def take(self, line: str) -> str | None:
        """Take the next line; return the name of the step that it begins, if it begins one."""
        line = _COLOURS.sub("", line)
        self.lines.append(line)
        if found := _CLASSIC.match(line):
            return shorten(f"[{found[1]}] {found[2]}")
        if (found := _BUILDKIT.match(line)) and found[1] not in self._seen:
            self._seen.add(found[1])
            return shorten(f"[{found[2]}] {found[3]}")
        return None


def shorten(step: str) -> str:
    """Return a line of output in at most 58 characters, without BuildKit's number and seconds."""
    words = " ".join(_PREFIX.sub("", _COLOURS.sub("", step)).split())
    return words if len(words) <= _WIDTH else f"{words[: _WIDTH - 3]}..."
