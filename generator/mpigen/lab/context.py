"""The docker context of a lab, for `docker --context mpigen-NAME`."""

import shutil
from pathlib import Path

from mpigen.errors import ClusterError
from mpigen.lab import machine
from mpigen.swarm import processes


def name_of(lab: str) -> str:
    """The context's name."""
    return f"mpigen-{lab}"


def create(lab: str, socket: Path) -> None:
    """Create the context for that socket; replace one that an earlier lab left behind.

    Raises ClusterError if the user has another context of that name.
    """
    if not shutil.which("docker"):
        raise ClusterError(
            "there is no docker command, and a lab's docker context needs one",
            "Install it: apt-get install docker-cli (Debian 12: docker.io).",
        )
    remove(lab)
    name = name_of(lab)
    if _host(name):
        raise ClusterError(
            f"the docker context {name} exists and does not belong to a lab",
            f"Give the lab another name, or remove it: docker context rm {name}",
        )
    description = f"mpigen lab {lab}, its first manager"
    processes.run(
        [
            *_DOCKER,
            "create",
            name,
            "--description",
            description,
            "--docker",
            f"host=unix://{socket}",
        ],
        f"docker context create {name}",
    )


def remove(lab: str) -> bool:
    """Remove the context, even if it is the current one; return whether it existed.

    A context of that name that does not point at the lab is the user's: it stays.
    """
    name = name_of(lab)
    if not _host(name).startswith(f"unix://{machine.state_root() / lab}/"):
        return False
    processes.run([*_DOCKER, "rm", "--force", name], f"docker context rm {name}")
    return True


_DOCKER = ("docker", "context")


def _host(name: str) -> str:
    """The endpoint of a context; "" if there is none, or no docker command."""
    if not shutil.which("docker"):
        return ""
    # `ls` lists contexts without asking an engine; with DOCKER_HOST set it warns on standard error
    listed = processes.run([*_DOCKER, "ls", "--format", "{{.Name}}\t{{.DockerEndpoint}}"], "docker")
    return dict(line.split("\t", 1) for line in listed.splitlines() if "\t" in line).get(name, "")
