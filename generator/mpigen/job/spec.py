"""The specification of a job: its program, ranks and name."""

import posixpath
import re
import secrets
from dataclasses import dataclass

from mpigen.errors import InputError

JOB_LABEL = "mpigen.job"
"""The label of every job's container and service; its value is the job's name."""
JOB_STACK_LABEL = "mpigen.stack"
RANKS_LABEL = "mpigen.ranks"
HOSTS_LABEL = "mpigen.hosts"
COMMAND_LABEL = "mpigen.command"

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_DURATION = re.compile(r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


@dataclass(frozen=True)
class JobSpec:
    """A job as requested. Its container runs `argv`; `mpigen jobs` shows `display`.

    `env` has NAME=VALUE, `mounts` the values of `docker create --mount`, `timeout` is in seconds.
    """

    name: str
    argv: tuple[str, ...]
    display: str
    ranks: int | None = None
    groups: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    timeout: int | None = None


def mpirun(
    name: str,
    command: tuple[str, ...],
    ranks: int | None,
    groups: tuple[str, ...],
    env: tuple[str, ...],
    mounts: tuple[str, ...],
    timeout: int | None,
) -> JobSpec:
    """The job `mpirun COMMAND`, where the command may begin with options of mpirun.

    An empty `name` is replaced by a generated one. Raises InputError for an invalid argument.
    """
    if not command:
        raise InputError(
            "there is nothing to run", "Say what: mpigen run [OPTIONS] -- CMD [ARG...]"
        )
    if ranks is not None and ranks < 1:
        raise InputError(f"-n {ranks}: a job has at least one rank")
    for pair in env:
        if not _VARIABLE.fullmatch(pair):
            raise InputError(f"--env {pair}: this is not NAME=VALUE")
    # Open MPI passes on only the variables that -x names
    exported = [word for pair in env for word in ("-x", pair.partition("=")[0])]
    number = [] if ranks is None else ["-n", str(ranks)]
    argv = ("mpirun", *exported, *number, *command)
    display = " ".join((*number, *command))
    checked = checked_name(name, command[0])
    return JobSpec(checked, argv, display, ranks, groups, env, mounts, timeout)


def checked_name(name: str, program: str) -> str:
    """The job's name, checked; if empty, one generated from the program's name.

    Raises InputError for an invalid name.
    """
    if not name:
        stem = re.sub(r"[^a-z0-9]+", "-", posixpath.basename(program).lower()).strip("-")[:12]
        return "-".join(part for part in (stem.strip("-"), secrets.token_hex(3)) if part)
    if not _NAME.fullmatch(name):
        hint = "Use at most 32 lower-case letters, digits and dashes, no dash first or last."
        raise InputError(f"--name {name}: this cannot name a job", hint)
    return name


def seconds(text: str) -> int:
    """The seconds of a duration: 90, 90s, 10m, 2h, 1h30m. Raises InputError for anything else."""
    found = _DURATION.fullmatch(text)
    if found:
        days, hours, minutes, rest = (int(part or 0) for part in found.groups())
        total = ((days * 24 + hours) * 60 + minutes) * 60 + rest
        if total:
            return total
    raise InputError(f"{text!r} is no duration", "Say it as 90s, 10m, 2h or 1h30m.")
