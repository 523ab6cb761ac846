"""The machine's own dockerd: start it, even if the previous one died uncleanly, and stop it."""

import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mpigen.errors import ClusterError
from mpigen.lab import machine
from mpigen.swarm import processes
from mpigen.swarm.processes import Say

_START_SECONDS = 60.0
_STOP_SECONDS = 60.0
_SYSTEMD_UNITS = ("docker.socket", "docker.service")


@dataclass(frozen=True)
class Dockerd:
    """A `dockerd` that mpigen may start, with the paths of its pid files and its log."""

    pidfile: Path = Path("/var/run/docker.pid")
    exec_root: Path = Path("/var/run/docker")
    log: Path = Path("/var/log/mpigen-dockerd.log")
    record: Path = field(default_factory=lambda: machine.state_root() / "engine.json")
    flags: tuple[str, ...] = ()

    @property
    def containerd_pidfile(self) -> Path:
        """The pid file of the containerd that this dockerd starts for itself."""
        return self.exec_root / "containerd" / "containerd.pid"


def path() -> str | None:
    """The path of the `dockerd` program, if installed (often not on a user's PATH)."""
    return shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def is_running() -> bool:
    """Whether the machine's own dockerd runs, even if it does not answer."""
    return _alive(Dockerd().pidfile, "dockerd") is not None


def start(daemon: Dockerd, say: Say, answers: Callable[[], bool]) -> None:
    """Start the engine, with systemd if that runs, and wait until it answers.

    If a dockerd runs already, only wait for it. Raises ClusterError, with the last lines of its
    log, if it dies or stays silent.
    """
    pid = _alive(daemon.pidfile, "dockerd")
    if pid:
        say(f"waiting for the running dockerd (process {pid})")
    else:
        clear_stale(daemon, say)
        say("starting dockerd")
        pid = _start_unit(daemon) if _has_systemd() else _spawn(daemon)
    deadline = time.monotonic() + _START_SECONDS
    while not answers():
        if not Path(f"/proc/{pid}").exists():
            raise ClusterError(f"dockerd ended during its start\n{_log(daemon)}", _where(daemon))
        if time.monotonic() > deadline:
            raise ClusterError(
                f"dockerd (process {pid}) has not answered for {_START_SECONDS:.0f} s\n"
                f"{_log(daemon)}",
                _where(daemon),
            )
        time.sleep(0.1)


def clear_stale(daemon: Dockerd, say: Say) -> None:
    """Remove the pid files that a dockerd and its containerd left when they died.

    If a process with the id in such a file exists, even of another program, dockerd refuses to
    start, or waits in vain for its containerd (pkg/pidfile in moby 20.10).
    """
    for pidfile, program in (
        (daemon.pidfile, "dockerd"),
        (daemon.containerd_pidfile, "containerd"),
    ):
        if _read(pidfile) is not None and not _alive(pidfile, program):
            say(f"removing a stale {pidfile}")
            machine.run_as_root(["rm", "-f", str(pidfile)], f"rm {pidfile}")


def stop(daemon: Dockerd, say: Say) -> bool:
    """Stop the engine if mpigen started it; return whether it did.

    Raises ClusterError if it does not end.
    """
    try:
        record = json.loads(daemon.record.read_text("utf-8"))
    except FileNotFoundError:
        return False
    pid = record["pid"]
    if not record["identity"] or _identity(pid) != record["identity"]:
        daemon.record.unlink()
        return False
    say(f"stopping dockerd (process {pid})")
    # the shell's own kill: the command is part of procps, which may be missing
    kill = ["sh", "-c", f"kill {pid}"]
    command = ["systemctl", "stop", *_SYSTEMD_UNITS] if record["unit"] else kill
    machine.run_as_root(command, f"stopping dockerd (process {pid})")
    deadline = time.monotonic() + _STOP_SECONDS
    while _identity(pid) == record["identity"]:
        if time.monotonic() > deadline:
            raise ClusterError(f"dockerd (process {pid}) has not ended in {_STOP_SECONDS:.0f} s")
        time.sleep(0.1)
    daemon.record.unlink()
    return True


def _spawn(daemon: Dockerd) -> int:
    # the shell prints its process id and becomes dockerd, in its own session, where neither a
    # closed terminal nor Ctrl-C reaches it
    script = 'echo $$; log=$1; shift; exec "$@" </dev/null >>"$log" 2>&1'
    program = path() or "dockerd"
    detached = ["setsid", "-f", "sh", "-c", script, "sh", str(daemon.log), program, *daemon.flags]
    pid = int(machine.run_as_root(detached, "starting dockerd"))
    _remember(daemon, pid, unit=False)
    return pid


def _start_unit(daemon: Dockerd) -> int:
    machine.run_as_root(["systemctl", "start", *_SYSTEMD_UNITS], "systemctl start docker")
    show = ["systemctl", "show", "-P", "MainPID", "docker.service"]
    pid = int(processes.run(show, "systemctl show"))
    _remember(daemon, pid, unit=True)
    return pid


def _remember(daemon: Dockerd, pid: int, unit: bool) -> None:
    deadline = time.monotonic() + 5  # until the shell (or systemd's helper) has become dockerd
    while (identity := _identity(pid)) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    daemon.record.parent.mkdir(parents=True, exist_ok=True)
    daemon.record.write_text(json.dumps({"pid": pid, "identity": identity, "unit": unit}), "utf-8")


def _identity(pid: int) -> str | None:
    """A value that no later process with the same id has; None if it is not dockerd.

    It is the 22nd field of /proc/PID/stat: the start time, in clock ticks since boot (proc(5)).
    """
    try:
        _, _, fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")
    except OSError:
        return None
    state, started = fields.split()[0], fields.split()[19]
    return started if _is_program(pid, "dockerd") and state != "Z" else None


def _read(pidfile: Path) -> str | None:
    """The text of a pid file, perhaps in a folder that only root may enter; None if missing."""
    try:
        return pidfile.read_text("utf-8")
    except PermissionError:
        with suppress(ClusterError):  # it is not there
            return machine.run_as_root(["cat", str(pidfile)], f"cat {pidfile}")
    except OSError:
        pass
    return None


def _alive(pidfile: Path, program: str) -> int | None:
    text = (_read(pidfile) or "").strip()
    return int(text) if text.isdecimal() and _is_program(int(text), program) else None


def _is_program(pid: int, program: str) -> bool:
    """Whether that process runs that program outside of containers (a lab's nodes run dockerd)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return False
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return fields["Name"] == program and len(fields.get("NSpid", "1").split()) == 1


def _has_systemd() -> bool:
    return Path("/run/systemd/system").is_dir()


def _log(daemon: Dockerd) -> str:
    if _has_systemd():
        journal = ["journalctl", "--no-pager", "-n", "100", "-u", "docker.service"]
        return machine.log_tail(machine.run_as_root(journal, "journalctl"))
    return machine.log_tail(daemon.log.read_text("utf-8", "replace"))


def _where(daemon: Dockerd) -> str:
    place = "journalctl -u docker.service" if _has_systemd() else str(daemon.log)
    return f"The whole log: {place}"
