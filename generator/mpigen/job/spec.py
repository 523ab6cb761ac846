"""The specification of a job: its program, ranks and name."""

import posixpath
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from mpigen.errors import InputError
from mpigen.mpi import IMPLEMENTATIONS

JOB_LABEL = "mpigen.job"
"""The label of every job's container and service; its value is the job's name."""
JOB_STACK_LABEL = "mpigen.stack"
RANKS_LABEL = "mpigen.ranks"
HOSTS_LABEL = "mpigen.hosts"
COMMAND_LABEL = "mpigen.command"
GRACE_LABEL = "mpigen.grace"
SWARM_TASK_LABEL = "com.docker.swarm.task.id"
"""Swarm's label of a service's container: a batch job has it, one in the foreground has not."""
GRACE_VARIABLE = "MPI_GRACE"
"""The variable of a job's container in which mpirun finds `JobSpec.grace`."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_DURATION = re.compile(r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


@dataclass(frozen=True)
class JobSpec:
    """A job as requested. Its container runs `argv`; `mpigen jobs` shows `display`.

    `env` has NAME=VALUE, `mounts` the values of `docker create --mount`. `timeout` is in seconds,
    and so is `grace`: the time that ranks have between SIGTERM and SIGKILL; 0 leaves it to MPI.
    """

    name: str
    argv: tuple[str, ...]
    display: str
    ranks: int | None = None
    groups: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    timeout: int | None = None
    grace: int = 0


def mpirun(
    name: str,
    command: tuple[str, ...],
    ranks: int | None,
    groups: tuple[str, ...],
    env: tuple[str, ...],
    mounts: tuple[str, ...],
    timeout: int | None,
    grace: int = 0,
    *,
    mpi: str,
) -> JobSpec:
    """The job `mpirun COMMAND` of that MPI; the command may begin with options of mpirun.

    An empty `name` is replaced by a generated one. Raises InputError with every problem.
    """
    wrong = []
    if not command:
        wrong.append("no command to run: mpigen run [OPTIONS] -- CMD [ARG]...")
    if ranks is not None and ranks < 1:
        wrong.append(f"-n {ranks}: a job has at least one rank")
    if grace < 0:
        wrong.append(f"--grace {grace}: this is no number of seconds")
    wrong += [
        f"--env {pair}: this is not NAME=VALUE" for pair in env if not _VARIABLE.fullmatch(pair)
    ]
    if wrong:
        raise InputError("\n".join(wrong))
    if mpi not in IMPLEMENTATIONS:
        raise InputError(f"this mpigen does not know the MPI {mpi!r}", "Use the one that rendered.")
    implementation = IMPLEMENTATIONS[mpi]
    number = [] if ranks is None else ["-n", str(ranks)]
    argv = ("mpirun", *_exporting(implementation.export, env, (*number, *command)))
    display = " ".join((*number, *command))
    checked = checked_name(name, program(command, implementation.options))
    given = (*env, f"{GRACE_VARIABLE}={grace}") if grace else env
    return JobSpec(checked, argv, display, ranks, groups, given, mounts, timeout, grace)


def _exporting(option: str, env: tuple[str, ...], command: tuple[str, ...]) -> list[str]:
    """The words of mpirun that pass the variables of `env` to all ranks, with the command.

    An option counts for one of several programs only, which are separated by the word `:`.
    """
    exported = [word for pair in env for word in (option, pair.partition("=")[0]) if option]
    made = list(exported)
    for word in command:
        made += [word, *exported] if word == ":" else [word]
    return made


def program(command: tuple[str, ...], options: Mapping[str, int]) -> str:
    """The program of a command that may begin with options of mpirun, or "mpirun".

    `options` has the number of words that follow each option. After an unknown option nobody can
    tell the program from the option's value.
    """
    words = iter(command)
    for word in words:
        if word == "--":
            return next(words, "mpirun")
        if not word.startswith("-"):
            return word
        name, has_value, _ = word.removeprefix("-").removeprefix("-").partition("=")
        if name not in options:
            return "mpirun"
        for _ in range(0 if has_value else options[name]):
            next(words, "")
    return "mpirun"


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
    raise InputError(f"{text!r} is no duration", "Write it as 90s, 10m, 2h or 1h30m.")
