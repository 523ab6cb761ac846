"""Take a site from mpigen.yaml to a verified cluster on a lab, with the user's own commands."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mpigen.artifacts.paths import BUILD_SCRIPT, DEPLOY_SCRIPT, RUN_SCRIPT
from mpigen.cluster.model import Cluster
from mpigen.cluster.plan import plan
from mpigen.config.load import load
from mpigen.errors import CheckFailed, ClusterError
from mpigen.lab import base, engine, lab
from mpigen.swarm import scratch
from mpigen.swarm.processes import Say

_RANK = re.compile(r"Size: (\d+), Rank: (\d+), Host: (\S+)")


@dataclass(frozen=True)
class Rank:
    """A rank of the job: its host is a container, its node a server of the Swarm."""

    size: int
    rank: int
    host: str
    node: str


def demo(config: Path, name: str, nodes: int, keep: bool, say: Say, show: Say) -> list[Rank]:
    """Render, build, deploy, run and verify the site of `config` on a lab of `nodes` nodes.

    `say` gets a line for each step, `show` the output of the job and of the checks.

    Returns the job's ranks with their places. Takes the lab down at the end, even after an error,
    unless `keep`. Raises MpigenError for the first step that fails.
    """
    cluster = plan(load(config))
    if not (cluster.app and cluster.app.check):
        hint = "Set app.check to the program that every rank should run."
        raise CheckFailed(f"{config} has no app.check, so there is nothing to run", hint)
    engine.ensure(say)
    base.ensure(engine.local(), cluster.image.base, say)
    with scratch.folder("demo") as place:
        try:
            here = lab.up(name, nodes, say)
            return _walk(cluster, config, here, place, say, show)
        finally:
            if not keep:
                lab.down(name, say)


def _walk(
    cluster: Cluster, config: Path, here: lab.Lab, place: Path, say: Say, show: Say
) -> list[Rank]:
    """Run the commands that a user would type; return the job's ranks."""
    output = place / "output"
    mpigen = [sys.executable, "-m", "mpigen"]
    docker = {"DOCKER_CONTEXT": here.context}
    _run([*mpigen, "render", "-c", str(config), "-o", str(output)], {}, say)
    site = {"SITE": str(config.parent.resolve())}
    _run(["sh", str(output / BUILD_SCRIPT)], site, say)
    say(f"mpigen lab load {cluster.tag} --name {here.name}")
    lab.load(here, cluster.tag, say)
    _run(["sh", str(output / DEPLOY_SCRIPT)], docker, say)
    assert cluster.app and cluster.app.check  # demo() refuses a site without
    command = ["sh", str(output / RUN_SCRIPT), *shlex.split(cluster.app.check)]
    printed = _run(command, docker, say, show)
    _run([*mpigen, "verify", "-o", str(output)], docker, say, show)
    ranks = _ranks(printed, cluster, docker)
    hosts = {rank.host for rank in ranks}
    if (len(ranks), len(hosts)) != (cluster.slots, cluster.replicas):
        raise CheckFailed(
            f"{len(ranks)} ranks on {len(hosts)} hosts, not {cluster.slots} on {cluster.replicas}"
        )
    return ranks


def _run(
    command: list[str], environment: Mapping[str, str], say: Say, show: Say | None = None
) -> str:
    """Run a command; `show` gets each line of its output.

    Returns the output. Raises ClusterError if it fails, with the end of the output if no `show`.
    """
    settings = "".join(f"{key}={shlex.quote(value)} " for key, value in environment.items())
    words = ["mpigen", *command[3:]] if command[0] == sys.executable else command
    say(f"$ {settings}{shlex.join(words)}")
    # DOCKER_HOST would take precedence over the lab's context
    inherited = {key: value for key, value in os.environ.items() if key != "DOCKER_HOST"}
    lines: list[str] = []
    with subprocess.Popen(
        command,
        env={**(inherited if "DOCKER_CONTEXT" in environment else os.environ), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if show:
                show(lines[-1])
    if process.returncode:
        end = "" if show else "\n" + "\n".join(lines[-20:])
        raise ClusterError(f"{shlex.join(words)} ended with {process.returncode}{end}")
    return "\n".join(lines)


def _ranks(printed: str, cluster: Cluster, docker: Mapping[str, str]) -> list[Rank]:
    """Each rank that printed its place, with its host's node in the Swarm."""
    nodes = {}
    for group in cluster.groups:
        service = f"{cluster.name}_{group.name}"
        tasks = subprocess.run(
            [
                *("docker", "service", "ps", service, "--filter", "desired-state=running"),
                *("--format", "{{.Name}} {{.Node}}"),
            ],
            env={**os.environ, **docker},
            capture_output=True,
            text=True,
            check=False,
        )
        for line in tasks.stdout.splitlines():
            task, node = line.split()
            nodes[f"{group.name}-{task.rpartition('.')[2]}"] = node
    found = [
        Rank(int(size), int(rank), host, nodes.get(host, "?"))
        for size, rank, host in _RANK.findall(printed)
    ]
    return sorted(found, key=lambda rank: rank.rank)
