"""The real command in this process, watched: the files that it opens, its time and memory."""

import os
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mpigen
from tests.conftest import Done
from tests.unit.untrusted.confined import mpigen as run

ROOT = Path(mpigen.__file__).parents[2]
# what Python and mpigen read of their own
_OWN = tuple(
    {
        os.path.realpath(each)
        for each in (
            ROOT, sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), "/proc/self",
            "/dev/null", "/dev/urandom",
        )
    }
    | {"/proc/self/statm"}
)  # fmt: skip
# audit events, and how many of their arguments are paths, less one
_EVENTS = {
    "open": 0, "os.listdir": 0, "os.scandir": 0, "os.mkdir": 0, "os.rename": 1, "os.remove": 0,
    "os.link": 1, "os.symlink": 1, "os.rmdir": 0, "os.chmod": 0, "shutil.rmtree": 0,
    "os.truncate": 0, "os.utime": 0,
}  # fmt: skip


@dataclass
class Figures:
    """What a run of many commands measured: seconds of processor time, and bytes."""

    inputs: int = 0
    longest: float = 0.0
    codes: dict[int, int] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)

    @property
    def memory(self) -> int:
        """The most memory that this process has had, in bytes: VmHWM of proc(5)."""
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def __str__(self) -> str:
        codes = ", ".join(f"{count} x {code}" for code, count in sorted(self.codes.items()))
        return (
            f"fuzz: {self.inputs} commands (exit codes {codes}), "
            f"longest {self.longest:.2f} s, most memory {self.memory / 2**20:.0f} MiB"
        )


FIGURES = Figures()
_site: list[str] = []
_hooked: list[bool] = []


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _site or event not in _EVENTS:
        return
    for each in args[: _EVENTS[event] + 1]:
        if isinstance(each, (str, bytes, os.PathLike)):
            name = os.fsdecode(each)
            if "\0" in name:
                continue
            place = os.path.realpath(name)
            if not place.startswith((_site[0], *_OWN)):
                FIGURES.outside.append(f"{event} {place}")


@contextmanager
def _watching(site: Path) -> Iterator[None]:
    if not _hooked:  # a hook stays for ever
        sys.addaudithook(_hook)
        _hooked.append(True)
    _site.append(os.path.realpath(site))
    try:
        yield
    finally:
        _site.clear()


def watched(site: Path, *words: str) -> Done:
    """Run `mpigen` on a hostile site; fails if it breaks what docs/security.md promises."""
    before = time.process_time()
    FIGURES.outside.clear()
    with _watching(site):
        done = run(site, *words)
    took = time.process_time() - before
    FIGURES.inputs += 1
    FIGURES.longest = max(FIGURES.longest, took)
    FIGURES.codes[done.code] = FIGURES.codes.get(done.code, 0) + 1
    assert done.code in (0, 1, 2), done
    assert "Traceback" not in done.err, done.err
    assert len(done.err) < 40_000 or "--check" in words or words[0] == "render", done.err[:2000]
    # a template of its own may take 5 s: render/sandbox.py
    assert took < 10, f"{took:.1f} s of processor time"
    assert not FIGURES.outside, FIGURES.outside
    return done
