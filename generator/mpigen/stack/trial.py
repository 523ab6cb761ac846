"""Try one rank on each host of a stack: does its MPI read the parameters that mpigen writes?"""

import subprocess
import tempfile

from mpigen.errors import CheckFailed
from mpigen.job import foreground, spec, storage
from mpigen.job.ending import INTERRUPTED, TIMED_OUT
from mpigen.job.events import Events
from mpigen.job.hosts import discover_hosts, refuse_too_many
from mpigen.job.streams import Streams
from mpigen.mpi import IMPLEMENTATIONS
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.processes import Say

_REMEDY = """\
The containers run, and mpigen shell opens one that is like those of jobs. If the MPI of your base \
reads its parameters in another folder, name it with mpi.prefix, or link its files: see \
docs/customising.md, "A base image of your own". Or use a base that mpigen knows, as \
debian:trixie-slim."""


def one_rank_on_each(deployment: Deployment, wait: float, events: Events, say: Say) -> int:
    """Run a job with one rank on each host; return its exit code if a signal ended it, else 0.

    Its errors go to the terminal. Raises CheckFailed unless every host had a rank and the job
    ended well, in at most `wait` seconds.
    """
    hosts = discover_hosts(deployment).choose(())
    count = sum(hosts.counts.values())
    mpi = deployment.artifacts.mpi
    options = IMPLEMENTATIONS[mpi].one_a_host if mpi in IMPLEMENTATIONS else ()
    job = spec.mpirun(
        spec.checked_name("", "trial"),
        *((*options, "uname", "-n"), count, (), (), (), max(1, int(wait))),
        mpi=mpi,
    )
    refuse_too_many(job, hosts)
    say(f"trying one rank on each of {count} {'host' if count == 1 else 'hosts'}")
    job = storage.in_foreground(deployment, hosts, job, say)
    with tempfile.TemporaryFile() as printed:
        streams = Streams(subprocess.DEVNULL, printed)
        code = foreground.run(deployment, hosts, job, events, streams, say)
        printed.seek(0)
        used = set(printed.read().decode(errors="replace").split())
    if code in INTERRUPTED:
        return code
    if code == TIMED_OUT:
        why = f"had not ended after {job.timeout} s; to wait longer: mpigen deploy --wait SECONDS"
    elif code:
        why = f"ended with {code}: see above"
    elif len(used) != count:
        why = f"ran on {len(used)} of them: {', '.join(sorted(used)) or 'none'}"
    else:
        return 0
    raise CheckFailed(
        f"{deployment.stack} is up, but jobs do not work: one with a rank on each of {count} hosts"
        f" {why}",
        _REMEDY,
    )
