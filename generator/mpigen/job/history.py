"""Foreground jobs that have ended: a file of this user, since Docker forgets their containers.

Each job has a line of JSON when it begins and one when it ends, in jobs.jsonl of the state folder
(XDG_STATE_HOME). Only whole lines are appended, under a lock, so several mpigen can write at once.
A job without a second line runs, or its mpigen was killed.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from docker.errors import DockerException

from mpigen.errors import MpigenError
from mpigen.job import slots, spec
from mpigen.job.describe import Job
from mpigen.job.hosts import Hosts
from mpigen.job.spec import JobSpec
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.processes import Say

MOST_BYTES = 8 * 1024**2
"""The size of the file, some 15,000 jobs; beyond it the older half is dropped."""
_UNKNOWN = "its end is unknown: its mpigen was killed"


def file() -> Path:
    """The file of this user's jobs."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "mpigen" / "jobs.jsonl"


@contextmanager
def recorded(
    deployment: Deployment, hosts: Hosts, job: JobSpec, container: str, say: Say
) -> Iterator[Callable[[int], None]]:
    """Note that a job begins, and its end after the block, with the exit code that it is told.

    If that fails, `say` so: the job runs all the same.
    """
    codes: list[int] = []
    error = ""
    noted = _note(lambda: {"begin": _begin(deployment, hosts, job, container)}, say)
    try:
        yield codes.append
    except BaseException as fault:
        error = fault.message if isinstance(fault, MpigenError) else type(fault).__name__
        raise
    finally:
        end = {"id": container, "exit_code": codes[0] if codes else None, "error": error}
        if noted:
            _note(lambda: {"end": {**end, "at": datetime.now(UTC).isoformat()}}, say)


def _begin(deployment: Deployment, hosts: Hosts, job: JobSpec, container: str) -> dict[str, Any]:
    info = deployment.engine.client.info()
    return {
        "stack": deployment.stack,
        "engine": info["ID"],
        "id": container,
        "name": job.name,
        "command": job.display,
        "ranks": job.ranks or hosts.total,
        "hosts": sum(hosts.counts.values()),
        "slots": slots.taken(job, hosts),
        "user": spec.who(),
        "node": info["Name"],
        "created": datetime.now(UTC).isoformat(),
    }


def jobs(stack: str, engine: str) -> list[Job]:
    """The jobs of a stack that were started on that engine by this user, oldest first."""
    found: dict[str, Job] = {}
    for record in _records():
        if begin := record.get("begin"):
            if (begin.get("stack"), begin.get("engine")) == (stack, engine):
                with suppress(KeyError, TypeError, ValueError):
                    found[begin["id"]] = _job(begin)
        elif (end := record.get("end")) and (job := found.get(str(end.get("id")))):
            with suppress(KeyError, TypeError, ValueError):
                found[job.id] = _ended(job, end)
    return list(found.values())


def forget(ids: set[str]) -> None:
    """Remove the jobs with these ids from the file."""
    if not ids:
        return

    with _locked() as path:
        kept = [
            record
            for record in _records()
            if all(event.get("id") not in ids for event in record.values())
        ]
        _rewrite(path, kept)


def _job(begin: Mapping[str, Any]) -> Job:
    return Job(
        name=str(begin["name"]),
        kind="foreground",
        state="unknown",
        ranks=int(begin["ranks"]),
        hosts=int(begin["hosts"]),
        created=datetime.fromisoformat(begin["created"]),
        exit_code=None,
        node=str(begin["node"]),
        command=str(begin["command"]),
        error=_UNKNOWN,
        id=str(begin["id"]),
        user=str(begin["user"]),
        slots={str(group): int(count) for group, count in begin["slots"].items()},
    )


def _ended(job: Job, end: Mapping[str, Any]) -> Job:
    code = end["exit_code"]
    return Job(
        **{
            **vars(job),
            "state": "done" if code == 0 else "failed",
            "exit_code": None if code is None else int(code),
            "error": str(end["error"]),
            "ended": datetime.fromisoformat(end["at"]),
        }
    )


def _records() -> Iterator[dict[str, dict[str, Any]]]:
    """The lines of the file that can be read; the last one of a killed mpigen may be torn."""
    try:
        lines = file().read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        with suppress(ValueError):
            record = json.loads(line)
            if isinstance(record, dict) and all(isinstance(each, dict) for each in record.values()):
                yield record


def _note(make: Callable[[], dict[str, Any]], say: Say) -> bool:
    """Append the record that `make` returns; if that fails `say` why, and return False."""
    try:
        record = make()
        with _locked() as path:
            if path.exists() and path.stat().st_size > MOST_BYTES:
                every = list(_records())
                _rewrite(path, every[len(every) // 2 :])
            with path.open("a+b") as target:
                torn = target.tell() and os.pread(target.fileno(), 1, target.tell() - 1) != b"\n"
                target.write((b"\n" if torn else b"") + _line(record))
    except (OSError, DockerException) as error:
        say(f"note: this job is not in the history {file()}: {error}")
        return False
    return True


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode() + b"\n"


def _rewrite(path: Path, records: list[dict[str, Any]]) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(b"".join(map(_line, records)))
    new.chmod(0o600)
    new.replace(path)


@contextmanager
def _locked() -> Iterator[Path]:
    """The file, which no other mpigen writes meanwhile; only this user can read it."""
    path = file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            path.touch(0o600)
        yield path
    finally:
        os.close(lock)
