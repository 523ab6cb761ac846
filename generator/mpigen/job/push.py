"""Copy files and folders to the same folder of every worker container, and compare hashes."""

import hashlib
import io
import os
import posixpath
import shlex
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mpigen.errors import ClusterError, InputError
from mpigen.job import foreground, spec
from mpigen.job.arrival import Sent
from mpigen.job.ending import INTERRUPTED
from mpigen.job.events import Events
from mpigen.job.hosts import Hosts
from mpigen.job.spec import JobSpec
from mpigen.job.streams import Streams
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.processes import Say

_SUMS = ".mpigen-sums"
_MOVE = 'mv -fT -- "$at"'
_MOST_PRINTED = 1024**2  # bytes: a line a host

# The script of the job's container; $1 is the script that each host runs on the archive.
_SPREAD = """\
mpi-hostfile || exit
archive=$(mktemp) && cat > "$archive" || exit
export archive
awk '{ print $2, $3 }' /run/mpi/hostfile.names | xargs -r -P 16 -L 1 sh -c '
    if said=$(ssh "$2" "$0" 2>&1 < "$archive"); then
        echo "ok $1"
    else
        echo "failed $1 $(echo $said)"
    fi' "$1"
"""


@dataclass(frozen=True)
class Pushed:
    """The result of a push: the folder, the hosts that have the files, and reasons by failed host.

    `code` is the exit code of the job that copied them.
    """

    folder: str
    hosts: tuple[str, ...]
    failed: dict[str, str]
    code: int


def push(
    deployment: Deployment,
    hosts: Hosts,
    files: tuple[Path, ...],
    to: str,
    events: Events,
    say: Say,
    sent: Sent,
) -> Pushed:
    """Copy files and folders to the folder `to` of every container of `hosts`.

    `to` begins where jobs start. Each file is replaced atomically once all copies are complete, so
    a running program keeps the old one; what else is in a folder there stays. A container that
    Swarm creates later does not have the files.
    Raises InputError for what cannot be sent, ClusterError if no host could be reached.
    """
    config = foreground.image_config(deployment, hosts.image, say)
    folder = posixpath.normpath(posixpath.join(str(config.get("WorkingDir") or "/"), to))
    with tempfile.TemporaryFile() as archive, tempfile.TemporaryFile() as printed:
        say(f"reading {', '.join(str(file) for file in files)}")
        try:
            pack(files, archive)
        except OSError as error:
            raise InputError(
                f"{error.filename or 'the temporary file'}: {error.strerror}"
            ) from None
        names = [_name(file) for file in files]
        say(f"copying {', '.join(names)} to {folder} of every worker")
        job = JobSpec(
            name=spec.checked_name("", "push"),
            argv=("sh", "-c", _SPREAD, "push", unpack(folder)),
            display=f"mpigen push {' '.join(names)}",
            ranks=0,
            groups=tuple(hosts.counts),
        )
        streams = Streams(archive, printed)
        total = sum(hosts.counts.values()) if hosts.known else 0
        with _watched(archive, printed, total, sent):
            code = foreground.run(deployment, hosts, job, events, streams, say)
        lines = _printed(printed).splitlines()
    results = [line.split(" ", 2) for line in lines]
    done = tuple(sorted(result[1] for result in results if result[0] == "ok"))
    failed = {result[1]: result[2] for result in results if result[0] == "failed"}
    if code not in INTERRUPTED and not results:
        raise ClusterError(f"no worker got the files: the job ended with {code}")
    return Pushed(folder, done, failed, code)


@contextmanager
def _watched(archive: IO[bytes], printed: IO[bytes], hosts: int, sent: Sent) -> Iterator[None]:
    """Report, in a thread, what docker has read of the archive, and how many hosts are done."""
    size = os.fstat(archive.fileno()).st_size
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            # docker's standard input is this very file, and so is its position
            read = os.lseek(archive.fileno(), 0, os.SEEK_CUR)
            sent("sent", read, size)
            if read == size and hosts:
                done = os.pread(printed.fileno(), _MOST_PRINTED, 0).count(b"\n")
                sent("spread to the workers", size * done, size * hosts)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _printed(printed: IO[bytes]) -> str:
    return os.pread(printed.fileno(), _MOST_PRINTED, 0).decode(errors="replace")


def pack(files: tuple[Path, ...], archive: IO[bytes]) -> list[str]:
    """Write a tar of files and folders, with modes and a list of hashes; return the files' names.

    Links to files are followed. Raises InputError for anything that is neither file nor folder,
    for links to folders, or if two have the same name.
    """
    names: dict[str, None] = {}
    sums = ""
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, file in _every_file(files):
            if name in names or not name.isprintable() or "\\" in name:
                raise InputError(
                    f"{file}: another file has the same name, or its name is not allowed"
                )
            with file.open("rb") as content:
                entry = tar.gettarinfo(arcname=name, fileobj=content)
                entry.uid = entry.gid = 0
                hashed = _Hashed(content)
                tar.addfile(entry, hashed)
            sums += f"{hashed.sha256.hexdigest()}  {name}\n"
            names[name] = None
        entry = tarfile.TarInfo(_SUMS)
        entry.size = len(sums.encode())
        tar.addfile(entry, io.BytesIO(sums.encode()))
    archive.seek(0)
    if not names:
        raise InputError(f"{', '.join(map(str, files))}: no file in it")
    return list(names)


class _Hashed(io.RawIOBase):
    """A file that is hashed as it is read: what is sent is what the hash is of."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        found = self._content.read(size)
        self.sha256.update(found)
        return found


def _every_file(files: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    """Each file, with its name below the folder there."""
    for file in files:
        if not os.path.lexists(file):
            raise InputError(f"{file} is missing")
        if not file.is_dir():
            yield _name(file), _checked(file)
            continue
        for parent, folders, inside in os.walk(file):
            below = Path(_name(file), Path(parent).relative_to(file))
            for name in sorted(folders):
                if Path(parent, name).is_symlink():
                    hint = "Name the folder that it leads to instead."
                    raise InputError(f"{Path(parent, name)} is a link to a folder", hint)
            for name in sorted(inside):
                yield (below / name).as_posix(), _checked(Path(parent, name))
            folders.sort()


def _name(file: Path) -> str:
    """What a file or folder is called there, also if it was given as `.` or `..`."""
    return file.name if file.name not in ("", "..") else file.resolve().name


def _checked(file: Path) -> Path:
    if not file.is_file():
        kind = "a broken link" if file.is_symlink() else "neither a file nor a folder"
        raise InputError(f"{file} is {kind}: push copies files and folders")
    return file


def unpack(folder: str) -> str:
    """The script that a host runs, with the archive on its standard input."""
    to = shlex.quote(folder)
    return (
        f"set -e; mkdir -p -- {to}; cd -- {to}; "
        "new=$(mktemp -d .mpigen-push.XXXXXX); trap 'cd ..; rm -rf -- \"$new\"' EXIT; "
        f'cd "$new"; tar -xf - --no-same-owner; sha256sum --check --quiet {_SUMS}; rm {_SUMS}; '
        f"find . -mindepth 1 -type d -exec sh -ec {_each('mkdir -p --')} sh {{}} +; "
        f"find . -type f -exec sh -ec {_each(_MOVE)} sh {{}} +"
    )


def _each(command: str) -> str:
    """A script that runs a command for each of its arguments, and the same path one up."""
    return shlex.quote(f'for at; do {command} "../$at"; done')
