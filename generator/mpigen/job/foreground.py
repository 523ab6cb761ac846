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
    USER_KEY_IN_IMAGE,
)
from mpigen.errors import ClusterError, InputError
from mpigen.job import attach, batch, history
from mpigen.job.ending import PATIENCE, Ending
from mpigen.job.events import PASSED_ON, Events
from mpigen.job.hosts import Hosts, create_options
from mpigen.job.spec import GRACE_LABEL, JobSpec
from mpigen.job.streams import Streams
from mpigen.keys import openssh, pair
from mpigen.swarm import processes
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.processes import Say

# A container that waits for its key, and ends if none comes: then --rm removes it.
# What is for the ranks does not end it.
_AWAIT_KEY = f"""\
trap '' USR1 USR2
tries=600
until [ -r {USER_KEY_IN_IMAGE} ] && [ -e {USER_KEY_IN_IMAGE}.pub ]; do
    tries=$((tries - 1))
    if [ $tries -eq 0 ]; then
        echo "mpigen: no key has arrived for this job within a minute" >&2
        exit 1
    fi
    sleep 0.1
done
exec "$@"
"""


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
            f"the engine at {engine.where.url} has no image {image}, which jobs are started from",
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

    See `attach.follow` for `events` (of `events.caught`), and `Ending` for `first`.
    Raises InputError if the name is taken or a key is missing, ClusterError if Docker fails or the
    workers have other keys.
    """
    engine, artifacts = deployment.engine, deployment.artifacts
    if artifacts.delivery == "secret" and hosts.known:
        _refuse_other_keys(deployment, next(iter(hosts.counts)))
    config = image_config(deployment, hosts.image, say)
    needs_key = artifacts.delivery == "secret"
    key = _key(artifacts, config) if needs_key else b""
    argv = ("sh", "-c", _AWAIT_KEY, "job", *job.argv) if needs_key else job.argv
    container = _create(deployment, hosts, job, argv, streams)

    def give_key() -> None:
        with blame(f"giving the job {job.name} its key"):
            engine.client.api.put_archive(container, MPI_IN_IMAGE, key)

    try:
        batch.refuse_namesake(deployment, job.name)
        if needs_key:
            with blame(f"giving the job {job.name} its known hosts"):
                folder = str(PurePosixPath(KNOWN_HOSTS_IN_IMAGE).parent)
                known_hosts = _known_hosts(artifacts, config)
                engine.client.api.put_archive(container, folder, known_hosts)
        arrived = [events.get() for _ in range(events.qsize())]  # only signals before the start
        over = [each for each in arrived if isinstance(each, signal.Signals) and _ends(each)]
        if not over:
            for each in arrived:
                events.put(each)
            ending = Ending(job.timeout, first, PATIENCE + job.grace)
            # never before it runs: the container of a killed mpigen would stay, with the key
            give = give_key if needs_key else None
            with history.recorded(deployment, hosts, job, container, say) as ended:
                code = attach.follow(engine, container, events, streams, ending, give)
                ended(code)
            return code
    except BaseException:
        _remove(engine, container)
        raise
    _remove(engine, container)
    return 128 + over[0]


def _ends(number: signal.Signals) -> bool:
    return number not in PASSED_ON


def _remove(engine: Engine, container: str) -> None:
    with suppress(DockerException, OSError):
        engine.client.api.remove_container(container, force=True)


def _create(
    deployment: Deployment, hosts: Hosts, job: JobSpec, argv: tuple[str, ...], streams: Streams
) -> str:
    """Create the job's container, which runs `argv`; return its id."""
    words = [
        *("create", "--rm", "--interactive", "--pull", "never"),
        # the output goes to the attached client: a copy would fill the server's disk
        *("--log-driver", "none", "--name", f"{deployment.stack}-job-{job.name}"),
        *(["--tty"] if streams.terminal else []),
        *("--stop-timeout", str(int(PATIENCE) + job.grace)),
        *("--label", f"{GRACE_LABEL}={job.grace}"),
        *create_options(job, hosts, deployment),
    ]
    command = deployment.engine.command(*words, hosts.image, *argv)
    try:
        printed = processes.run(command, "docker create", own_session=True)
    except ClusterError as error:
        if "is already in use by container" in error.message:
            raise InputError(
                f"the job {job.name} already exists", f"End it: mpigen cancel {job.name}"
            ) from None
        raise
    return printed.split()[-1]


def _refuse_other_keys(deployment: Deployment, group: str) -> None:
    """Raise ClusterError if the workers' keys are not the folder's: they would refuse every login.

    The name of a secret has a hash of the public half, and stack.yml has the name.
    """
    service = deployment.service(group)
    with blame(f"asking for the service {service}"):
        found = deployment.engine.client.api.inspect_service(service)  # type: ignore[no-untyped-call]
    secrets = found["Spec"]["TaskTemplate"]["ContainerSpec"].get("Secrets") or ()
    names = [
        str(each["SecretName"]).removeprefix(f"{deployment.stack}_")
        for each in secrets
        if (each.get("File") or {}).get("Name") == USER_KEY_IN_IMAGE
    ]
    rendered = deployment.artifacts.stack_file.read_text("utf-8")
    if any(name not in rendered for name in names):
        raise ClusterError(
            f"the workers of {deployment.stack} have other keys than "
            f"{deployment.artifacts.folder / KEYS}, for example after mpigen keys rotate",
            "Deploy first, which needs no build: mpigen deploy",
        )


def _key(artifacts: Artifacts, config: dict[str, Any]) -> bytes:
    """An archive of the user key, for a plain container, which gets no Swarm secrets.

    The public half is last: once it is there, the key is there, whole and with its owner.
    """
    private = artifacts.folder / KEYS / USER_KEY
    if not private.exists():
        raise InputError(
            f"{private} is missing, but a job logs in with it (ssh.delivery: secret)",
            "Import it: mpigen keys import DIR; or use the Swarm's own copy: mpigen run --detach",
        )
    public = private.with_name(f"{private.name}.pub")
    openssh.check_private(private, pair.read_public(public))
    files = {private.name: (private.read_bytes(), 0o400), public.name: (public.read_bytes(), 0o444)}
    return _archive(files, _owner(config))


def _known_hosts(artifacts: Artifacts, config: dict[str, Any]) -> bytes:
    """An archive of the known hosts, which are public."""
    known = PurePosixPath(KNOWN_HOSTS_IN_IMAGE)
    content = (artifacts.folder / f"{ROOTFS}{known}").read_bytes()
    return _archive({known.name: (content, 0o644)}, _owner(config))


def _owner(config: dict[str, Any]) -> tuple[int, int]:
    """The UID and GID of the image's user, from USER UID:GID in the Dockerfile."""
    uid, _, gid = str(config.get("User", "")).partition(":")
    if not (uid.isdigit() and gid.isdigit()):
        raise ClusterError(
            f"the image's user is {uid!r}, so the owner of a job's key is not known",
            "Set USER UID:GID in the Dockerfile, in numbers.",
        )
    return int(uid), int(gid)


def _archive(files: dict[str, tuple[bytes, int]], owner: tuple[int, int]) -> bytes:
    """An archive of files by name, each its content and mode."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            entry.uid, entry.gid = owner
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()
