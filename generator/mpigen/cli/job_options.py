"""What a job is asked to be: by a job's file, and by the command line over it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpigen.job.spec import JobSpec


@dataclass(frozen=True)
class JobOptions:
    """The options of `mpigen run`; None, or empty, where they are not given."""

    command: tuple[str, ...] = ()
    name: str = ""
    ranks: int | None = None
    workers: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    workdir: str = ""
    mounts: tuple[str, ...] = ()
    timeout: str = ""
    grace: int | None = None
    label: bool = False
    detach: bool = False
    retries: int | None = None
    fetch: tuple[str, ...] = ()

    def over(self, file: "JobOptions") -> "JobOptions":
        """These options, and those of a file where they are not given; lists add."""
        return JobOptions(
            command=self.command or file.command,
            name=self.name or file.name,
            ranks=file.ranks if self.ranks is None else self.ranks,
            workers=self.workers or file.workers,
            env=(*file.env, *self.env),
            workdir=self.workdir or file.workdir,
            mounts=(*file.mounts, *self.mounts),
            timeout=self.timeout or file.timeout,
            grace=file.grace if self.grace is None else self.grace,
            label=self.label or file.label,
            detach=self.detach or file.detach,
            retries=file.retries if self.retries is None else self.retries,
            fetch=(*file.fetch, *self.fetch),
        )

    def spec(self, mpi: str) -> "JobSpec":
        """The job of that MPI. Raises InputError with every problem."""
        from mpigen.errors import InputError
        from mpigen.job import spec

        if self.retries and not self.detach:
            raise InputError(
                "--retries works for batch jobs only: Swarm runs them again",
                "Add --detach; mpigen logs NAME -f shows its output.",
            )
        limit = spec.seconds(self.timeout) if self.timeout else None
        words = (self.command, self.ranks, self.workers, self.env, self.mounts, limit)
        return spec.mpirun(
            self.name,
            *words,
            self.grace or 0,
            mpi=mpi,
            workdir=self.workdir,
            label=self.label,
            retries=self.retries or 0,
        )


def from_file(path: Path) -> JobOptions:
    """The options of a job's file. Raises InputError with a line for each problem."""
    from mpigen.config import job_file

    job = job_file.load(path)
    return JobOptions(
        command=tuple(job.command),
        name=job.name,
        ranks=job.ranks,
        workers=tuple(job.workers),
        env=tuple(f"{name}={value}" for name, value in job.env.items()),
        workdir=job.workdir or "",
        mounts=tuple(job.mounts),
        timeout=job.timeout or "",
        grace=job.grace,
        label=job.label,
        detach=job.detach,
        retries=job.retries,
        fetch=tuple(job.fetch),
    )
