"""Copy files to the same folder of every worker container, checked by hash."""

import hashlib
import io
import posixpath
import shlex
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mpigen.artifacts.folder import Artifacts
from mpigen.errors import ClusterError, InputError
from mpigen.job import foreground, spec
from mpigen.job.attach import Events
from mpigen.job.hosts import Hosts
from mpigen.job.spec import Work
from mpigen.job.streams import Streams
from mpigen.swarm.engine import Engine
from mpigen.swarm.processes import Say

_SUMS = ".mpigen-sums"

# What the job's container does: $1 is what each host does with the archive.
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
    """Where files are now: the folder, the hosts that have them, and those that failed, why.

    `code` is that of the job that copied them: above 128 it was interrupted.
    """

    folder: str
    hosts: tuple[str, ...]
    failed: dict[str, str]
    code: int


def push(
    engine: Engine,
    artifacts: Artifacts,
    stack: str,
    hosts: Hosts,
    files: tuple[Path, ...],
    to: str,
    events: Events,
    say: Say,
) -> Pushed:
    """Put files into the folder `to`, by default where jobs start, of every container of `hosts`.

    A file replaces another at once, when its copy is whole: a program that runs keeps its own.
    A container that Swarm makes later does not have them.
    Raises InputError for what is no file, ClusterError if no host could be reached.
    """
    config = foreground.image_config(engine, artifacts, hosts.image, say)
    folder = posixpath.normpath(posixpath.join(str(config.get("WorkingDir") or "/"), to))
    with tempfile.TemporaryFile() as archive, tempfile.TemporaryFile() as printed:
        names = pack(files, archive)
        say(f"copying {', '.join(names)} to {folder} of every worker")
        task = Work(
            name=spec.checked_name("", "push"),
            words=("sh", "-c", _SPREAD, "push", _unpack(folder, names)),
            shown=f"mpigen push {' '.join(names)}",
            groups=tuple(hosts.counts),
        )
        streams = Streams(archive, printed)
        code = foreground.run(engine, artifacts, stack, hosts, task, events, streams, say)
        printed.seek(0)
        said = printed.read().decode(errors="replace").splitlines()
    results = [line.split(" ", 2) for line in said]
    done = tuple(sorted(result[1] for result in results if result[0] == "ok"))
    failed = {result[1]: result[2] for result in results if result[0] == "failed"}
    if code < 128 and not results:
        raise ClusterError(f"no worker got the files: the job ended with {code}")
    return Pushed(folder, done, failed, code)


def pack(files: tuple[Path, ...], archive: IO[bytes]) -> list[str]:
    """Write the files, with their modes and a list of their hashes, as a tar; their names.

    Raises InputError for what is no file, or two of one name.
    """
    names: list[str] = []
    sums = ""
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for file in files:
            if not file.is_file():
                kind = "a folder" if file.is_dir() else "missing"
                raise InputError(f"{file} is {kind}: push copies files")
            if file.name in names or not file.name.isprintable() or "\\" in file.name:
                raise InputError(f"{file}: another file has this name, or it cannot be one")
            with file.open("rb") as content:
                entry = tar.gettarinfo(arcname=file.name, fileobj=content)
                entry.uid = entry.gid = 0
                tar.addfile(entry, content)
            with file.open("rb") as content:
                sums += f"{hashlib.file_digest(content, 'sha256').hexdigest()}  {file.name}\n"
            names.append(file.name)
        entry = tarfile.TarInfo(_SUMS)
        entry.size = len(sums.encode())
        tar.addfile(entry, io.BytesIO(sums.encode()))
    archive.seek(0)
    return names


def _unpack(folder: str, names: list[str]) -> str:
    """What a host does with the archive on its standard input."""
    moves = " && ".join(f"mv -fT -- {shlex.quote(f'./{n}')} ../{shlex.quote(n)}" for n in names)
    return (
        f"set -e; mkdir -p -- {shlex.quote(folder)}; cd -- {shlex.quote(folder)}; "
        "new=$(mktemp -d .mpigen-push.XXXXXX); trap 'cd ..; rm -rf -- \"$new\"' EXIT; "
        f'cd "$new"; tar -xf - --no-same-owner; sha256sum --check --quiet {_SUMS}; {moves}'
    )
