"""What a job is to do: a program, its ranks and its name."""

import posixpath
import re
import secrets
from dataclasses import dataclass

from mpigen.errors import InputError

JOB_LABEL = "mpigen.job"
"""The label of every job's container and service; its value is the job's name."""
STACK_LABEL = "mpigen.stack"
RANKS_LABEL = "mpigen.ranks"
HOSTS_LABEL = "mpigen.hosts"
COMMAND_LABEL = "mpigen.command"
TIMEOUT_LABEL = "mpigen.timeout"

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_DURATION = re.compile(r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


@dataclass(frozen=True)
class Work:
    """A job as it is asked for. `words` is what its container runs.

    `env` are K=V, `mounts` as `docker create --mount` takes them, `timeout` is in seconds.
    """

    name: str
    words: tuple[str, ...]
    shown: str
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
) -> Work:
    """The work of `mpirun COMMAND`, which may begin with mpirun's own options.

    An empty `name` is made up. Raises InputError for what cannot be.
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
    # Open MPI gives its ranks none of mpirun's environment, unless told by name
    exported = [word for pair in env for word in ("-x", pair.partition("=")[0])]
    number = [] if ranks is None else ["-n", str(ranks)]
    words = ("mpirun", *exported, *number, *command)
    shown = " ".join((*number, *command))
    return Work(checked_name(name, command[0]), words, shown, ranks, groups, env, mounts, timeout)


def checked_name(name: str, program: str) -> str:
    """A job's name, made from its program's where it has none. Raises InputError for a bad one."""
    if not name:
        stem = re.sub(r"[^a-z0-9]+", "-", posixpath.basename(program).lower()).strip("-")[:12]
        return "-".join(part for part in (stem.strip("-"), secrets.token_hex(3)) if part)
    if not _NAME.fullmatch(name):
        hint = "Use at most 32 lower-case letters, digits and dashes, no dash first or last."
        raise InputError(f"--name {name}: this cannot name a job", hint)
    return name


def seconds(text: str) -> int:
    """Seconds of a duration: 90, 90s, 10m, 2h, 1h30m. Raises InputError for what is none."""
    found = _DURATION.fullmatch(text)
    if found:
        days, hours, minutes, rest = (int(part or 0) for part in found.groups())
        total = ((days * 24 + hours) * 60 + minutes) * 60 + rest
        if total:
            return total
    raise InputError(f"{text!r} is no duration", "Say it as 90s, 10m, 2h or 1h30m.")
