"""Copy files from worker containers to this machine: all of them, with equal hashes, or none."""

import os
import posixpath
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mpigen.errors import CheckFailed, ClusterError, InputError
from mpigen.job import foreground, gather, landing, spec
from mpigen.job.arrival import Arrived, Cut, Delivery, Sent, receive
from mpigen.job.ending import INTERRUPTED
from mpigen.job.events import Events
from mpigen.job.hosts import Hosts
from mpigen.job.spec import JobSpec
from mpigen.job.streams import Streams
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.processes import Say


@dataclass(frozen=True)
class Wanted:
    """The files to pull: paths on the hosts, which may be patterns of the shell.

    From `hosts`, or `every` host, or the host that MPI gives the first ranks. With `job`, the mark
    of a job that has just ended, from the hosts that ran it, and only what was written since.
    """

    patterns: tuple[str, ...]
    hosts: tuple[str, ...] = ()
    every: bool = False
    job: str = ""


@dataclass(frozen=True)
class Pulled:
    """The result of a pull: the place of each file below the target.

    `without` are hosts that had no such file, `others` counts what was left out, since it was no
    file, and `replaced` the files that another one was in the place of. `code` is the exit code
    of the job that copied: if it is one of INTERRUPTED, nothing was written.
    """

    places: dict[Arrived, Path]
    without: tuple[str, ...] = ()
    others: int = 0
    replaced: int = 0
    code: int = 0


def pull(
    deployment: Deployment,
    hosts: Hosts,
    wanted: Wanted,
    to: Path,
    events: Events,
    say: Say,
    sent: Sent,
) -> Pulled:
    """Copy files from containers of `hosts` into the folder `to`, which is made if needed.

    They are received beside it, compared by sha256 and then renamed, so that an interrupt, a full
    disk or a host that fails leaves nothing behind. Existing files are replaced.
    Raises InputError if there is no such file, or one cannot be put in its place; CheckFailed if a
    job has left none; ClusterError if a host fails, or the disk is full.
    """
    for pattern in wanted.patterns:
        gather.refuse_bad(pattern)
    config = foreground.image_config(deployment, hosts.image, say)
    start = str(config.get("WorkingDir") or "/")
    ordered, once = _shared_last(wanted.patterns, start, deployment.artifacts.shared)
    wanted = replace(wanted, patterns=ordered)
    patterns = tuple(posixpath.join(start, each.rstrip("/")) for each in ordered)
    once = once if wanted.job else 0
    which = "all" if wanted.every or wanted.job else "of" if wanted.hosts else "first"
    script = gather.script(patterns, wanted.job, once)
    job = JobSpec(
        name=spec.checked_name("", "pull"),
        argv=("perl", "-e", gather.program(), script, which, *wanted.hosts),
        display=f"mpigen pull {' '.join(wanted.patterns)}",
        groups=tuple(hosts.counts),
    )
    whose = {"all": "every worker", "of": ", ".join(wanted.hosts), "first": "the first worker"}
    said = "the hosts of the job" if wanted.job else whose[which]
    say(f"copying {', '.join(wanted.patterns)} from {said}")
    try:
        with landing.beside(to) as folder:
            receiver = _Receiver(folder, patterns, events, sent)
            streams = Streams(subprocess.DEVNULL, receiver.end)
            try:
                code = foreground.run(deployment, hosts, job, events, streams, say)
            finally:
                receiver.join()
            if isinstance(receiver.error, Cut) and code in INTERRUPTED:
                return Pulled({}, code=code)
            if receiver.error:
                raise receiver.error
            if code:
                raise ClusterError(f"no host was reached: the job that copies ended with {code}")
            return _land(receiver.deliveries, wanted, folder, to)
    except Cut:
        raise ClusterError("the copy ended too early", "Nothing was written; try again.") from None
    except OSError as error:
        raise ClusterError(f"{to}: {error.strerror}", "Nothing was written.") from error


def _shared_last(
    patterns: Sequence[str], start: str, shared: Collection[str]
) -> tuple[tuple[str, ...], int]:
    """The patterns, those of storage that all hosts share last; and how many those are."""
    of_all = tuple(
        each
        for each in patterns
        if any(posixpath.join(start, each).startswith(f"{folder}/") for folder in shared)
    )
    return (*(each for each in patterns if each not in of_all), *of_all), len(of_all)


class _Receiver:
    """Receives what the job's container prints, in a thread; `end` is for the container."""

    def __init__(self, folder: Path, patterns: tuple[str, ...], events: Events, sent: Sent) -> None:
        self.deliveries: list[Delivery] = []
        self.error: Exception | None = None
        self._folder, self._patterns, self._events, self._sent = folder, patterns, events, sent
        self._from, self.end = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with os.fdopen(self._from, "rb") as stream:
            try:
                for each in receive(stream, self._folder, self._patterns, self._room, self._sent):
                    self.deliveries.append(each)
            except Exception as error:
                self.error = error
                self._events.put(signal.SIGTERM)  # nothing more is wanted of the job
                while stream.read(2**20):  # docker would complain of a closed pipe
                    pass

    def _room(self) -> int:
        return shutil.disk_usage(self._folder).free

    def join(self) -> None:
        """Wait until all that was sent has been handled."""
        os.close(self.end)
        self._thread.join()


def _land(deliveries: list[Delivery], wanted: Wanted, folder: Path, to: Path) -> Pulled:
    there = [each for each in deliveries if each.took_part]
    if wanted.job and not there:
        raise CheckFailed(
            "no host reports that it ran a rank of the job",
            "The image may be older than this mpigen: mpigen build, mpigen deploy.",
        )
    _refuse_missing(there, wanted)
    found = [file for each in there for file in sorted(each.files, key=lambda file: file.name)]
    if not found:
        which_files = " that the job has written" if wanted.job else ""
        raise _none(f"{' '.join(wanted.patterns)}: no file{which_files}", wanted)
    if wanted.job:  # what all hosts have alike is one file, as on storage that they share
        found = list({(each.name, each.sha256): each for each in reversed(found)}.values())[::-1]
    by_host = wanted.every or len(wanted.hosts) > 1
    where = landing.places(found, None if wanted.job else by_host)
    return Pulled(
        where,
        tuple(each.host for each in there if not each.files),
        sum(each.others for each in there),
        landing.land(folder, to, where),
    )


def _refuse_missing(there: list[Delivery], wanted: Wanted) -> None:
    """Raise an error for each pattern that nothing has matched, on a host or on all of them."""
    several = wanted.every or bool(wanted.job)
    gone = []
    for index, pattern in enumerate(wanted.patterns):
        lacking = [each.host for each in there if index in each.missing]
        if wanted.job and len(lacking) == len(there):
            gone.append(f"{pattern}: the job has written no such file on {' '.join(lacking)}")
        elif several and len(lacking) == len(there):
            gone.append(f"{pattern}: on none of {len(there)} hosts")
        elif lacking and not several:
            gone.append(f"{pattern}: not on {', '.join(lacking)}")
    if gone:
        raise _none("\n".join(gone), wanted)


def _none(message: str, wanted: Wanted) -> CheckFailed | InputError:
    if wanted.job:
        return CheckFailed(message, "Nothing was fetched.")
    hint = "Nothing was written. Paths are relative to the folder where jobs start."
    if not wanted.every:
        hint += f" Search all hosts: mpigen pull --all {shlex.join(wanted.patterns)}"
    return InputError(message, hint)
