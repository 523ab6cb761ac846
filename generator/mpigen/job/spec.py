"""The specification of a job: its program, ranks and name."""

import getpass
import os
import posixpath
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from mpigen.errors import InputError
from mpigen.mpi import IMPLEMENTATIONS
from mpigen.notation.durations import parse_duration

JOB_LABEL = "mpigen.job"
"""The label of every job's container and service; its value is the job's name."""
JOB_STACK_LABEL = "mpigen.stack"
RANKS_LABEL = "mpigen.ranks"
HOSTS_LABEL = "mpigen.hosts"
COMMAND_LABEL = "mpigen.command"
GRACE_LABEL = "mpigen.grace"
USER_LABEL = "mpigen.user"
"""Who has started the job, as USER@HOST."""
SLOTS_LABEL = "mpigen.slots"
"""The slots that the job takes of each group (`slots.taken`), as "worker=4 gpu=8"."""
RETRIES_LABEL = "mpigen.retries"
SWARM_TASK_LABEL = "com.docker.swarm.task.id"
"""Swarm's label of a service's container: a batch job has it, one in the foreground has not."""
GRACE_VARIABLE = "MPI_GRACE"
"""The variable of a job's container in which mpirun finds `JobSpec.grace`."""
LABEL_VARIABLE = "MPI_LABEL"
"""The variable of a job's container that makes mpirun begin each line with its rank."""
MOST_RETRIES = 100

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)


@dataclass(frozen=True)
class JobSpec:
    """A job as requested. Its container runs `argv`; `mpigen jobs` shows `display`.

    `env` has NAME=VALUE, `mounts` the values of `docker create --mount`. `timeout` is in seconds,
    and so is `grace`: the time that ranks have between SIGTERM and SIGKILL; 0 leaves it to MPI.
    `retries` is how often a batch job is run again after a host was lost. `places` says that the
    command has options of mpirun, which may place the ranks in another way.
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
    retries: int = 0
    places: bool = False


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
    workdir: str = "",
    label: bool = False,
    retries: int = 0,
) -> JobSpec:
    """The job `mpirun COMMAND` of that MPI; the command may begin with options of mpirun.

    An empty `name` is replaced by a generated one. `workdir` is where ranks start on their hosts;
    with `label` each line of output begins with its rank. A variable that `env` has twice gets the
    last value. Raises InputError with every problem.
    """
    wrong = []
    if not command:
        wrong.append("no command to run: mpigen run [OPTIONS] -- CMD [ARG]...")
    if ranks is not None and ranks < 1:
        wrong.append(f"-n {ranks}: a job has at least one rank")
    if grace < 0:
        wrong.append(f"--grace {grace}: this is not a number of seconds")
    if workdir and not workdir.startswith("/"):
        wrong.append(f"--workdir {workdir}: this is not an absolute path")
    if not 0 <= retries <= MOST_RETRIES:
        wrong.append(f"--retries {retries}: this is not a number from 0 to {MOST_RETRIES}")
    wrong += [
        f"--env {pair}: this is not NAME=VALUE" for pair in env if not _VARIABLE.fullmatch(pair)
    ]
    if wrong:
        raise InputError("\n".join(wrong))
    if mpi not in IMPLEMENTATIONS:
        raise InputError(
            f"this mpigen does not know the MPI {mpi!r}", "Use the mpigen that rendered the folder."
        )
    implementation = IMPLEMENTATIONS[mpi]
    number = [] if ranks is None else ["-n", str(ranks)]
    env = tuple({pair.partition("=")[0]: pair for pair in env}.values())
    there = ["--wdir", workdir] if workdir else []
    argv = ("mpirun", *_exporting(implementation.export, env, there, (*number, *command)))
    display = " ".join((*number, *command))
    checked = checked_name(name, program(command, implementation.options))
    given = (
        *env,
        *([f"{GRACE_VARIABLE}={grace}"] if grace else []),
        *([f"{LABEL_VARIABLE}=1"] if label else []),
    )
    places = command[0].startswith("-")
    rest = (mounts, timeout, grace, retries, places)
    return JobSpec(checked, argv, display, ranks, groups, given, *rest)


def _exporting(
    option: str, env: tuple[str, ...], more: list[str], command: tuple[str, ...]
) -> list[str]:
    """The words of mpirun that pass the variables of `env` to all ranks, and `more`, before them.

    An option counts for one of several programs only, which are separated by the word `:`.
    """
    exported = [word for pair in env for word in (option, pair.partition("=")[0]) if option]
    exported += more
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
        raise InputError(f"--name {name}: this is not a valid name for a job", hint)
    return name


def who() -> str:
    """Who starts jobs here, as USER@HOST."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a UID without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def seconds(text: str) -> int:
    """The seconds of a duration: 90, 90s, 10m, 2h, 1h30m. Raises InputError for anything else."""
    try:
        return parse_duration(text)
    except ValueError:
        raise InputError(
            f"{text!r} is not a duration", "Write it like 90s, 10m, 2h or 1h30m."
        ) from None
