"""A job in the foreground: a container of the workers' image on the stack's overlay."""

import io
import signal
import tarfile
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from docker.errors import DockerException, ImageNotFound

from mpigen.artifacts.folder import Artifacts
from mpigen.artifacts.paths import (
    KEYS,
    KNOWN_HOSTS_IN_IMAGE,
    MPI_IN_IMAGE,
    ROOTFS,
    USER_KEY,
)
from mpigen.errors import ClusterError, InputError
from mpigen.job import attach
from mpigen.job.attach import Events
from mpigen.job.hosts import Hosts, create_options
from mpigen.job.spec import JobSpec
from mpigen.job.streams import Streams
from mpigen.keys import openssh, pair
from mpigen.swarm import processes
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.processes import Say


def image_config(deployment: Deployment, image: str, say: Say) -> dict[str, Any]:
    """The configuration of an image on this engine, pulled first if it comes from a registry.

    Raises ClusterError, with a hint, if the engine does not have it.
    """
    engine = deployment.engine
    found = _inspect(engine, image)
    if found is None and deployment.artifacts.distribute == "registry":
        say(f"pulling {image}")
        processes.run(engine.command("pull", "--quiet", image), f"docker pull {image}")
        found = _inspect(engine, image)
    if found is None:
        raise ClusterError(
            f"the engine at {engine.where.url} has no image {image}, which a job is started from",
            "Bring it to every node: mpigen build; or start the job on a node that has it.",
        )
    return found


def _inspect(engine: Engine, image: str) -> dict[str, Any] | None:
    with blame(f"asking the engine at {engine.where.url} for the image {image}"):
        try:
            found = engine.client.api.inspect_image(image)  # type: ignore[no-untyped-call]
        except ImageNotFound:
            return None
    return dict(found["Config"])


def run(
    deployment: Deployment,
    hosts: Hosts,
    job: JobSpec,
    events: Events,
    streams: Streams,
    say: Say,
    first: str = "SIGTERM",
) -> int:
    """Run a job to its end, remove its container, and return its exit code.

    See `attach.follow` for `events` (of `attach.caught`) and `first`.
    Raises InputError if the name is taken or a key is missing, ClusterError if Docker fails.
    """
    engine, artifacts = deployment.engine, deployment.artifacts
    config = image_config(deployment, hosts.image, say)
    files = _key_files(artifacts, config) if artifacts.delivery == "secret" else {}
    container = _create(deployment, hosts, job, streams)
    try:
        for folder, archive in files.items():
            with blame(f"giving the job {job.name} its keys"):
                engine.client.api.put_archive(container, folder, archive)
        if events.empty():
            return attach.follow(engine, container, events, streams, job.timeout, first)
        event = events.get()
        assert isinstance(event, signal.Signals)  # only signals arrive before the start
    except BaseException:
        _remove(engine, container)
        raise
    _remove(engine, container)
    return 128 + event


def _remove(engine: Engine, container: str) -> None:
    with suppress(DockerException, OSError):
        engine.client.api.remove_container(container, force=True)


def _create(deployment: Deployment, hosts: Hosts, job: JobSpec, streams: Streams) -> str:
    """Create the job's container; return its id."""
    words = [
        *("create", "--rm", "--interactive", "--pull", "never"),
        # the output goes to the attached client: a copy would fill the server's disk
        *("--log-driver", "none", "--name", f"{deployment.stack}-job-{job.name}"),
        *(["--tty"] if streams.terminal else []),
        *create_options(job, hosts, deployment),
    ]
    command = deployment.engine.command(*words, hosts.image, *job.argv)
    try:
        printed = processes.run(command, "docker create", own_session=True)
    except ClusterError as error:
        if "is already in use by container" in error.message:
            raise InputError(
                f"there is a job {job.name} already", f"End it: mpigen cancel {job.name}"
            ) from None
        raise
    return printed.split()[-1]


def _key_files(artifacts: Artifacts, config: dict[str, Any]) -> dict[str, bytes]:
    """The user key and known hosts for a plain container, which gets no Swarm secrets.

    Maps folders in the container to archives that belong to the image's user.
    """
    private = artifacts.folder / KEYS / USER_KEY
    if not private.exists():
        raise InputError(
            f"{private} is missing, and a job logs in with it (ssh.delivery: secret)",
            "Bring it: mpigen keys import DIR; or use the Swarm's own: mpigen run --detach",
        )
    openssh.check_private(private, pair.read_public(private.with_name(f"{private.name}.pub")))
    known = PurePosixPath(KNOWN_HOSTS_IN_IMAGE)
    known_hosts = (artifacts.folder / f"{ROOTFS}{known}").read_bytes()
    owner = _owner(config)
    return {
        MPI_IN_IMAGE: _archive(private.name, private.read_bytes(), 0o400, owner),
        str(known.parent): _archive(known.name, known_hosts, 0o644, owner),
    }


def _owner(config: dict[str, Any]) -> tuple[int, int]:
    """The UID and GID of the image's user, from USER UID:GID in the Dockerfile."""
    uid, _, gid = str(config.get("User", "")).partition(":")
    if not (uid.isdigit() and gid.isdigit()):
        raise ClusterError(
            f"the image's user is {uid!r}, so the owner of a job's key is not known",
            "Let the Dockerfile say USER UID:GID, in numbers.",
        )
    return int(uid), int(gid)


def _archive(name: str, content: bytes, mode: int, owner: tuple[int, int]) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    entry.uid, entry.gid = owner
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()
