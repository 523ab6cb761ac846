"""Files that hosts send, in the frames of collect.pl, checked and written to a folder.

No host is trusted: a file is written only if its name matches what was asked for, and nothing but
plain files is. Of a tar, links and devices are refused, so no name can lead out of the folder.
"""

import fnmatch
import hashlib
import os
import re
import tarfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from mpigen.errors import ClusterError
from mpigen.untrusted.quoting import clip

Sent = Callable[[str, int, int], None]
"""A progress callback: takes a host, the bytes that have come from it, and the total."""

_MOST_LIST = 64 * 1024**2  # bytes of a list of hashes: half a million files
_MOST_HEADER = 1024**2  # bytes between two files of a tar: long names
_CHUNK = 1024**2
_NO_LOGIN = 255  # ssh's own exit status


class Cut(Exception):
    """What was sent ends before its end: the job was ended."""


@dataclass(frozen=True)
class Arrived:
    """A file that has come whole: its name on the host below what was asked for, and its hash."""

    host: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Delivery:
    """All files of one host. `missing` are the indices of patterns that nothing matched there.

    `others` is the number of what was skipped: neither files nor folders. `took_part` is false
    for a host that was asked for the files of a job and ran none of its ranks.
    """

    host: str
    files: tuple[Arrived, ...] = ()
    missing: tuple[int, ...] = ()
    others: int = 0
    took_part: bool = True


def receive(
    stream: IO[bytes], folder: Path, patterns: Collection[str], room: Callable[[], int], sent: Sent
) -> Iterator[Delivery]:
    """Write the files of each host to `folder`/HOST, and yield what it has sent.

    `patterns` are those that were asked for, as the shell has them; `room` tells how many bytes
    the disk can take. Raises ClusterError if a host failed, or sent what was not asked for; Cut
    if the stream ends too early; OSError if the disk does not take it.
    """
    while line := stream.readline(_MOST_HEADER):
        mark, _, host = line.decode("utf-8", "replace").rstrip("\n").partition(" ")
        if mark != "h" or not re.fullmatch(r"[A-Za-z0-9][\w.-]*", host):
            raise ClusterError(f"the job's container sent {clip(line.decode('utf-8', 'replace'))}")
        section = _Section(stream)
        try:
            delivery = _delivery(section, host, folder / host, patterns, room, sent)
        except (ValueError, tarfile.TarError, EOFError) as error:
            section.finish(host)  # its own words, if it has failed, say more
            raise ClusterError(f"{host}: what it sent was rejected: {error}") from None
        section.finish(host)
        yield delivery


class _Section:
    """The output of one host's script, up to its end frame, as tarfile reads it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = 0  # bytes of the current frame
        self._end: tuple[int, str] | None = None
        self.budget = _MOST_HEADER
        """How many bytes may be read until more are allowed."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; fewer only at the end. Raises ValueError beyond the budget."""
        self.budget -= size
        if self.budget < -10 * tarfile.RECORDSIZE:
            raise ValueError("a header is too large")
        parts = []
        while size and self._more():
            part = self._stream.read(min(size, self._left))
            if not part:
                raise Cut
            self._left -= len(part)
            size -= len(part)
            parts.append(part)
        return b"".join(parts)

    def line(self) -> str:
        """The next line, of at most 1,000 bytes, without its end."""
        found = b""
        while not found.endswith(b"\n"):
            byte = self.read(1)
            if not byte or len(found) > 1000:
                raise EOFError("it has no header")
            found += byte
        return found.decode("ascii", "replace").rstrip("\n")

    def finish(self, host: str) -> None:
        """Read to the end. Raises ClusterError, with the host's words, if its script failed."""
        while self._more():
            self.budget = _CHUNK
            self.read(_CHUNK)
        assert self._end
        status, words = self._end
        if status:
            hint = "mpigen status lists the hosts." if status == _NO_LOGIN else ""
            raise ClusterError(f"{host}: {clip(words, 300) or f'it ended with {status}'}", hint)

    def _more(self) -> bool:
        """Whether a frame has bytes left, after reading the next frame's line if needed."""
        while not self._left and self._end is None:
            line = self._stream.readline(_MOST_HEADER).decode("utf-8", "replace")
            if not line.endswith("\n"):
                raise Cut
            frame = re.fullmatch(r"([de]) (\d+)(?: (.*))?\n", line, re.DOTALL)
            if not frame:
                raise Cut
            if frame[1] == "d":
                self._left = int(frame[2])
            else:
                self._end = (int(frame[2]), frame[3] or "")
        return self._left > 0


def _delivery(
    section: _Section,
    host: str,
    folder: Path,
    patterns: Collection[str],
    room: Callable[[], int],
    sent: Sent,
) -> Delivery:
    header = section.line()
    if header == "none":
        return Delivery(host, took_part=False)
    length, total, others, missing = header.split(" ")
    sums = _sums(section, int(length), patterns)
    if int(total) > room():
        raise OSError(28, f"{host} has {int(total) / 1e9:.1f} GB, {room() / 1e9:.1f} GB are free")
    files = tuple(_unpack(section, host, folder, sums, int(total), sent)) if sums else ()
    if gone := {*sums} - {each.name for each in files}:
        raise ValueError(f"{clip(min(gone))} has not arrived")
    indices = tuple(int(each) for each in missing.strip("-").split(",") if each)
    return Delivery(host, files, indices, int(others))


def _sums(section: _Section, length: int, patterns: Collection[str]) -> dict[str, str]:
    """The hash of each file that the host is about to send, by its name."""
    if length > _MOST_LIST:
        raise ValueError(f"a list of {length} bytes")
    section.budget += length
    lines = os.fsdecode(section.read(length)).split("\0")
    found = {}
    for line in lines[:-1]:
        digest, _, name = line.partition("  ")
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ValueError(f"{clip(line)} is not a hash")
        check_name(name, patterns)
        found[name] = digest
    return found


def check_name(name: str, patterns: Collection[str]) -> None:
    """Raise ValueError for a name that leads out of the folder, or that nobody has asked for."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{clip(name)!r} would be written elsewhere")
    if not any(_matches(parts[0], PurePosixPath(pattern).name) for pattern in patterns):
        raise ValueError(f"{clip(name)!r} was not asked for")


def _matches(name: str, pattern: str) -> bool:
    """Whether the shell's pattern can have matched the name."""
    if name.startswith(".") and not pattern.startswith((".", "\\.")):
        return False
    if "[:" in pattern:  # a class of characters, which Python does not know
        return True
    return fnmatch.fnmatchcase(name, re.sub(r"\\(.)", r"[\1]", pattern).replace("[^", "[!"))


def _unpack(
    section: _Section, host: str, folder: Path, sums: dict[str, str], total: int, sent: Sent
) -> Iterator[Arrived]:
    done = 0
    seen = set()
    with tarfile.open(fileobj=section, mode="r|") as tar:  # type: ignore[call-overload]
        for member in tar:
            name = member.name  # of `sums`, so it has passed check_name
            if not member.isreg() or name not in sums or name in seen:
                raise ValueError(f"{clip(name)!r} was not announced as a file")
            if done + member.size > total:
                raise ValueError(f"{clip(name)!r} has changed while it was copied")
            seen.add(name)
            section.budget = _MOST_HEADER + member.size
            content = tar.extractfile(member)
            assert content
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            digest = hashlib.sha256()
            with target.open("xb") as file:  # never an existing one, nor through a link
                while chunk := content.read(_CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
                    done += len(chunk)
                    sent(host, done, total)
            if digest.hexdigest() != sums[name]:
                raise ValueError(f"{clip(name)!r} has changed while it was copied")
            target.chmod(member.mode & 0o755 | 0o600)  # no setuid, and none but the owner writes
            os.utime(target, (member.mtime, member.mtime))
            yield Arrived(host, name, member.size, digest.hexdigest())
            section.budget = _MOST_HEADER
