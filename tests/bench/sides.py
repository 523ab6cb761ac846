"""The two sides of the bench: the walk-through's cluster, made by program, and mpigen's."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mpigen.errors import ClusterError
from mpigen.lab import lab

RECIPE = "mpigen-bench-recipe:latest"
NETWORK = "mpi-network"
CREATE = ("docker", "network", "create", "--driver", "overlay", "--attachable", NETWORK)
PLACES = (0, 0, 1, 2)  # the node of each of the walk-through's containers: 2 + 1 + 1
# what builds have to trust where a proxy ends TLS
TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
STARTED = time.monotonic()


def say(line: str) -> None:
    """One line of progress."""
    print(f"[{time.monotonic() - STARTED:4.0f} s] {line}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Done:
    """A command that ended, or that was stopped (code 124): what it printed, and its seconds."""

    code: int
    text: str
    seconds: float


def call(docker: str, *command: str | Path, limit: float = 900) -> Done:
    """Run a command whose `docker` talks to that engine; `limit` is in seconds.

    timeout(1) keeps the limit: Python would look every 0.05 s whether the command has ended.
    """
    start = time.monotonic()
    words = ["timeout", "--foreground", "--kill-after=5", str(limit), *map(str, command)]
    with tempfile.TemporaryFile("w+", errors="replace") as out:
        code = subprocess.run(
            words,
            env={**os.environ, "DOCKER_HOST": docker},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        ).returncode
        seconds = time.monotonic() - start
        out.seek(0)
        return Done(code, out.read(), seconds)


def must(docker: str, *command: str | Path) -> str:
    """What a command prints. Raises ClusterError, with its last lines, if it fails."""
    done = call(docker, *command)
    if done.code:
        end = "\n".join(done.text.strip().splitlines()[-10:])
        raise ClusterError(f"{' '.join(map(str, command))} ended with {done.code}\n{end}")
    return done.text.strip()


@dataclass(frozen=True)
class Container:
    """A container of the walk-through, its node's engine and its address on the overlay."""

    name: str
    docker: str
    address: str = ""

    def run(self, line: str) -> Done:
        """What a line of shell does in it."""
        return call(self.docker, "docker", "exec", self.name, "sh", "-c", line)


def compiled(docker: str, program: Path, folder: Path) -> Path:
    """The program as the recipe's image compiles it: a.out in `folder`."""
    made = must(docker, "docker", "create", RECIPE, *("mpicxx", "-O2", "-o", "a.out", "a.cpp"))
    try:
        must(docker, "docker", "cp", program, f"{made}:/root/a.cpp")
        must(docker, "docker", "start", "--attach", made)
        must(docker, "docker", "cp", f"{made}:/root/a.out", folder / "a.out")
    finally:
        call(docker, "docker", "rm", "--force", made)
    return folder / "a.out"


@contextmanager
def recipe(here: lab.Lab, program: Path) -> Iterator[list[Container]]:
    """The walk-through's cluster, with that a.out in it: all that it does by hand, done."""
    say("starting the walk-through's 4 containers")
    made: list[Container] = []
    try:
        for number, place in enumerate(PLACES, 1):
            docker = f"unix://{here.nodes[place].socket}"
            name = f"mpi{number}"
            made.append(Container(name, docker))
            run = ("docker", "run", "-itd", f"--net={NETWORK}", "--name", name, RECIPE)
            must(docker, *run)
            where = f'{{{{(index .NetworkSettings.Networks "{NETWORK}").IPAddress}}}}'
            address = must(docker, "docker", "inspect", "--format", where, name)
            made[-1] = Container(name, docker, address)
        _by_hand(made, program)
        yield made
    finally:
        for container in made:
            call(container.docker, "docker", "rm", "--force", container.name)


def _by_hand(made: list[Container], program: Path) -> None:
    first = made[0]
    with tempfile.TemporaryDirectory(prefix="mpigen-bench-") as scratch:

        def step(line: str) -> None:
            done = first.run(line)
            if done.code:
                raise ClusterError(f"the walk-through's {line!r} ended so: {done.text}")

        def spread() -> None:
            must(first.docker, "docker", "cp", f"{first.name}:/root/.", scratch)
            for other in made[1:]:
                must(other.docker, "docker", "cp", f"{scratch}/.", f"{other.name}:/root")

        must(first.docker, "docker", "cp", program, f"{first.name}:/root/a.out")
        step("mkdir -p -m 700 .ssh && ssh-keygen -q -t rsa -N '' -f .ssh/id_rsa")
        step("cp .ssh/id_rsa.pub .ssh/authorized_keys")
        step(f"printf '%s slots=2\\n' {' '.join(c.address for c in made)} > hostfile")
        spread()
        for container in made:  # the "yes" of each first login
            login = f"ssh -o StrictHostKeyChecking=accept-new {container.address} true"
            step(f"timeout 60 sh -c 'until {login}; do sleep 0.5; done'")
        spread()  # known_hosts


def build(docker: str, here: lab.Lab, site: Path, tag: str) -> None:
    """Render a site, build its image and bring it to the lab's nodes."""
    say(f"building {tag}")
    must(docker, sys.executable, "-m", "mpigen", "render", "-c", site / "mpigen.yaml")
    script = site / "output" / "scripts" / "build.sh"
    # the build stage gets a name too, so that it can be removed
    must(docker, "sh", script, "--target", "build", "--tag", tag.replace(":", "-build:"))
    must(docker, "sh", script)
    lab.load(here, tag, say)


@contextmanager
def deployed(here: lab.Lab, site: Path) -> Iterator[Path]:
    """The folder of the scripts of a site that is deployed."""
    scripts = site / "output" / "scripts"
    say("deploying mpigen's cluster")
    must(here.docker_host, "sh", scripts / "deploy.sh")
    try:
        yield scripts
    finally:
        must(here.docker_host, "sh", scripts / "down.sh")


def make_site(folder: Path, text: str, app: Path) -> Path:
    """A site of that mpigen.yaml and program."""
    folder.mkdir()
    (folder / "mpigen.yaml").write_text(text, encoding="utf-8")
    shutil.copytree(app, folder / "app")
    return folder
