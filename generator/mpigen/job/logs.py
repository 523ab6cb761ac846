"""The output of a batch job, complete, each byte once, standard output and error separate."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from mpigen.errors import ClusterError
from mpigen.job import batch_task, excerpt
from mpigen.job.describe import Job
from mpigen.job.excerpt import Excerpt
from mpigen.swarm.engine import Engine
from mpigen.swarm.processes import Say, tail
from mpigen.swarm.state import Task


@dataclass
class _Copy:
    """One of this process's streams; `done` bytes of the job's stream are copied to it."""

    descriptor: int
    done: int = 0

    def take(self, source: int) -> None:
        """Copy from `source`, which begins with the `done` bytes that are copied already."""
        skip = self.done
        while data := os.read(source, 65536):
            fresh = data[skip:]
            skip = max(0, skip - len(data))
            while fresh:
                written = os.write(self.descriptor, fresh)
                self.done += written
                fresh = fresh[written:]


def copy(engine: Engine, job: Job, wanted: Excerpt, follow: bool, say: Say) -> None:
    """Copy a batch job's output to this process's own; with `follow`, until the job has ended.

    `docker service logs --follow` never ends, and may be stopped before it has printed
    everything. So it is stopped when the job has ended, and the rest is read without --follow.
    Raises ClusterError for a foreground job, or if Docker fails; BrokenPipeError if nobody reads
    this process's output any more.
    """
    if job.kind != "batch":
        raise ClusterError(
            f"the job {job.name} runs in the foreground: its output appears where it was started",
            "mpigen run --detach makes jobs whose output Docker keeps.",
        )
    copies = (_Copy(1), _Copy(2))
    if follow:
        _await_start(engine, job, say)
    now = batch_task.task(engine, job.id)
    # a task that has not started has no log, and Swarm is slow to say so
    if not (now and now.container):
        return
    if follow and wanted.tail is not None:
        wanted = _from_there(engine, now.id, wanted)
    _copy_run(engine, job, now, copies, wanted, follow)
    while follow and job.retries and (now := _next_run(engine, job, now)):
        say(f"{job.name} runs again on {now.node}, since a host was lost")
        _copy_run(engine, job, now, (_Copy(1), _Copy(2)), replace(wanted, tail=None), follow)


def _copy_run(
    engine: Engine,
    job: Job,
    run: Task,
    copies: tuple[_Copy, _Copy],
    wanted: Excerpt,
    follow: bool,
) -> None:
    """Copy the output of one run of a job, with `follow` until it has ended."""
    while follow and not _over(engine, job, run):
        with _logs(engine, run.id, copies, *wanted.options, "--follow") as pumps:
            while all(pump.is_alive() for pump in pumps) and not _over(engine, job, run):
                time.sleep(0.3)
    # nobody can read the log of a run on a node that is lost
    unread = suppress(*([ClusterError] if job.retries and follow else []))
    with unread, _logs(engine, run.id, copies, *wanted.options) as pumps:
        for pump in pumps:
            pump.join()


def _next_run(engine: Engine, job: Job, run: Task) -> Task | None:
    """The run of a job that follows `run`, once it has begun; None if Swarm starts no other."""
    while True:
        now = batch_task.task(engine, job.id)
        if now is None or (now.id == run.id and not batch_task.waits_for_swarm(now)):
            return None
        if now.id != run.id and (now.container or batch_task.has_ended(now)):
            return now if now.container else None
        time.sleep(0.5)


def _await_start(engine: Engine, job: Job, say: Say) -> None:
    last = ""
    while not ((now := batch_task.task(engine, job.id)) and now.container):
        if now and (batch_task.has_ended(now) or batch_task.is_lost(engine, now)):
            return
        waits = f"waiting for {job.name} to start: {(now and now.error) or 'pending'}"
        if waits != last:
            say(last := waits)
        time.sleep(0.5)


def _from_there(engine: Engine, task: str, wanted: Excerpt) -> Excerpt:
    """The same excerpt by the time of its first line.

    A log that grows is read more than once, and each time from the same line.
    """
    some = replace(wanted, tail=wanted.tail or 1, timestamps=True)
    done = subprocess.run(
        engine.command("service", "logs", "--raw", *some.options, task),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise ClusterError(f"docker service logs failed\n{tail(done.stderr)}")
    printed = (done.stdout + done.stderr).split("\n")
    lines = sorted(line for line in printed if excerpt.has_time(line))
    if not lines:
        return replace(wanted, tail=None)
    since = excerpt.at(lines[0]) if wanted.tail else excerpt.after(lines[-1])
    return replace(wanted, tail=None, since=since)


def _over(engine: Engine, job: Job, run: Task) -> bool:
    now = batch_task.task(engine, job.id)
    return (
        now is None
        or now.id != run.id
        or batch_task.has_ended(now)
        or batch_task.is_lost(engine, now)
    )


@contextmanager
def _logs(
    engine: Engine, task: str, copies: tuple[_Copy, _Copy], *options: str
) -> Iterator[list[threading.Thread]]:
    """Run `docker service logs` while the block runs; threads copy its streams."""
    failed: list[OSError] = []
    child = subprocess.Popen(
        engine.command("service", "logs", "--raw", *options, task),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )

    def take(copy: _Copy, source: int) -> None:
        try:
            copy.take(source)
        except OSError as error:
            failed.append(error)
            child.terminate()

    assert child.stdout and child.stderr
    sources = (child.stdout.fileno(), child.stderr.fileno())
    pumps = [
        threading.Thread(target=take, args=pair, daemon=True)
        for pair in zip(copies, sources, strict=True)
    ]
    for pump in pumps:
        pump.start()
    ended = None
    try:
        yield pumps
        # once it has closed its streams, it is about to exit
        ended = child.wait(5) if not any(pump.is_alive() for pump in pumps) else None
    finally:
        child.terminate()
        child.wait()
        for pump in pumps:
            pump.join()
        child.stdout.close()
        child.stderr.close()
    if failed:
        raise failed[0]
    if ended:
        raise ClusterError(f"docker service logs {task} ended with {ended}")
