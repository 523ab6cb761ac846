"""Copy files to the same folder of every worker container, and compare hashes."""

import hashlib
import io
import posixpath
import shlex
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mpigen.errors import ClusterError, InputError
from mpigen.job import foreground, spec
from mpigen.job.events import Events
from mpigen.job.hosts import Hosts
from mpigen.job.spec import JobSpec
from mpigen.job.streams import Streams
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.processes import Say

_SUMS = ".mpigen-sums"

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

    `code` is the exit code of the job that copied them; above 128 it was interrupted.
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
) -> Pushed:
    """Copy files to the folder `to` of every container of `hosts`; default is where jobs start.

    Each file is replaced atomically once its copy is complete, so a running program keeps the old
    one. A container that Swarm creates later does not have the files.
    Raises InputError for anything but a file, ClusterError if no host could be reached.
    """
    config = foreground.image_config(deployment, hosts.image, say)
    folder = posixpath.normpath(posixpath.join(str(config.get("WorkingDir") or "/"), to))
    with tempfile.TemporaryFile() as archive, tempfile.TemporaryFile() as printed:
        names = pack(files, archive)
        say(f"copying {', '.join(names)} to {folder} of every worker")
        job = JobSpec(
            name=spec.checked_name("", "push"),
            argv=("sh", "-c", _SPREAD, "push", _unpack(folder, names)),
            display=f"mpigen push {' '.join(names)}",
            groups=tuple(hosts.counts),
        )
        streams = Streams(archive, printed)
        code = foreground.run(deployment, hosts, job, events, streams, say)
        printed.seek(0)
        lines = printed.read().decode(errors="replace").splitlines()
    results = [line.split(" ", 2) for line in lines]
    done = tuple(sorted(result[1] for result in results if result[0] == "ok"))
    failed = {result[1]: result[2] for result in results if result[0] == "failed"}
    if code < 128 and not results:
        raise ClusterError(f"no worker got the files: the job ended with {code}")
    return Pushed(folder, done, failed, code)


def pack(files: tuple[Path, ...], archive: IO[bytes]) -> list[str]:
    """Write a tar of the files, with their modes and a list of their hashes; return their names.

    Raises InputError for anything but a file, or if two have the same name.
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
    """The script that a host runs, with the archive on its standard input."""
    moves = " && ".join(f"mv -fT -- {shlex.quote(f'./{n}')} ../{shlex.quote(n)}" for n in names)
    return (
        f"set -e; mkdir -p -- {shlex.quote(folder)}; cd -- {shlex.quote(folder)}; "
        "new=$(mktemp -d .mpigen-push.XXXXXX); trap 'cd ..; rm -rf -- \"$new\"' EXIT; "
        f'cd "$new"; tar -xf - --no-same-owner; sha256sum --check --quiet {_SUMS}; {moves}'
    )
