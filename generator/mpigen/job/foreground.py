"""A job in the foreground: a container of the workers' image on the stack's overlay."""

import io
import signal
import tarfile
from contextlib import suppress
from typing import Any

from docker.errors import DockerException, ImageNotFound

from mpigen.artifacts.folder import Artifacts
from mpigen.artifacts.paths import KEYS, USER_KEY
from mpigen.errors import ClusterError, InputError
from mpigen.job import attach
from mpigen.job.attach import Events
from mpigen.job.hosts import Hosts, options
from mpigen.job.spec import Work
from mpigen.job.streams import Streams
from mpigen.keys import openssh, pair
from mpigen.swarm import processes
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.processes import Say


def image_config(engine: Engine, artifacts: Artifacts, image: str, say: Say) -> dict[str, Any]:
    """The configuration of the image, which this engine has or pulls.

    Raises ClusterError, with the way to get it here, if there is none.
    """
    found = _inspect(engine, image)
    if found is None and artifacts.distribute == "registry":
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
    engine: Engine,
    artifacts: Artifacts,
    stack: str,
    hosts: Hosts,
    work: Work,
    events: Events,
    streams: Streams,
    say: Say,
    first: str = "SIGTERM",
) -> int:
    """Run a job to its end, and return its exit code; nothing of it is left then.

    See `attach.follow` for `events` (of `attach.caught`) and `first`.
    Raises InputError for a name that is taken or a key that is missing, ClusterError for what
    Docker cannot do.
    """
    config = image_config(engine, artifacts, hosts.image, say)
    files = _keys_for(artifacts, config) if artifacts.delivery == "secret" else {}
    container = _create(engine, artifacts, stack, hosts, work, streams)
    try:
        for folder, archive in files.items():
            with blame(f"giving the job {work.name} its keys"):
                engine.client.api.put_archive(container, folder, archive)
        if events.empty():
            return attach.follow(engine, container, events, streams, work.timeout, first)
        event = events.get()
        assert isinstance(event, signal.Signals)  # nothing else happens before the start
    except BaseException:
        _remove(engine, container)
        raise
    _remove(engine, container)
    return 128 + event


def _remove(engine: Engine, container: str) -> None:
    with suppress(DockerException, OSError):
        engine.client.api.remove_container(container, force=True)


def _create(
    engine: Engine,
    artifacts: Artifacts,
    stack: str,
    hosts: Hosts,
    work: Work,
    streams: Streams,
) -> str:
    words = [
        *("create", "--rm", "--interactive", "--pull", "never"),
        # its output is for whoever attaches: a copy would fill the server's disk
        *("--log-driver", "none", "--name", f"{stack}-job-{work.name}"),
        *(["--tty"] if streams.terminal else []),
        *options(work, hosts, artifacts, stack),
    ]
    try:
        made = processes.run(
            engine.command(*words, hosts.image, *work.words), "docker create", apart=True
        )
    except ClusterError as error:
        if "is already in use by container" in error.message:
            raise InputError(
                f"there is a job {work.name} already", f"End it: mpigen cancel {work.name}"
            ) from None
        raise
    return made.split()[-1]


def _keys_for(artifacts: Artifacts, config: dict[str, Any]) -> dict[str, bytes]:
    """What a container of one's own needs to log in, since it gets no Swarm secrets.

    Maps folders in the container to archives for the user of the image.
    """
    private = artifacts.folder / KEYS / USER_KEY
    if not private.exists():
        raise InputError(
            f"{private} is missing, and a job logs in with it (ssh.delivery: secret)",
            "Bring it: mpigen keys import DIR; or use the Swarm's own: mpigen run --detach",
        )
    openssh.check_private(private, pair.read_public(private.with_name(f"{private.name}.pub")))
    known = artifacts.folder / "rootfs/etc/ssh/ssh_known_hosts"
    owner = _owner(config)
    return {
        "/etc/mpi": _archive(private.name, private.read_bytes(), 0o400, owner),
        "/etc/ssh": _archive(known.name, known.read_bytes(), 0o644, owner),
    }


def _owner(config: dict[str, Any]) -> tuple[int, int]:
    """Numbers of the image's user and group, which the Dockerfile writes as UID:GID."""
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
