"""The docker context of a lab, which `docker --context mpigen-NAME` uses."""

import shutil
from pathlib import Path

from mpigen.errors import ClusterError
from mpigen.lab import machine
from mpigen.swarm import processes


def name_of(lab: str) -> str:
    """The context's name."""
    return f"mpigen-{lab}"


def create(lab: str, socket: Path) -> None:
    """Make the context, pointing at that socket; one that is left from an earlier lab goes.

    Raises ClusterError if the user has a context of that name that is not a lab's.
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
            f"there is a docker context {name} that is not a lab's",
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
    """Remove the context, also if it is the current one; return whether it was there.

    A context of that name that points elsewhere than at a lab is the user's: it stays.
    """
    name = name_of(lab)
    if not _host(name).startswith(f"unix://{machine.state_root() / lab}/"):
        return False
    processes.run([*_DOCKER, "rm", "--force", name], f"docker context rm {name}")
    return True


_DOCKER = ("docker", "context")


def _host(name: str) -> str:
    """Where that context points; "" if there is none, or no docker command."""
    if not shutil.which("docker"):
        return ""
    # `ls` looks at contexts alone; with DOCKER_HOST set, it only warns, on standard error.
    listed = processes.run([*_DOCKER, "ls", "--format", "{{.Name}}\t{{.DockerEndpoint}}"], "docker")
    return dict(line.split("\t", 1) for line in listed.splitlines() if "\t" in line).get(name, "")
