"""A real Swarm of three engines, and clusters deployed on it the way that a user would."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mpigen.lab import engine, lab

ROOT = Path(__file__).parents[2]
# what builds have to trust where a proxy ends TLS: the certificates of this machine
TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")


def own_lab(name: str) -> str:
    """A lab's name that no other test process has: pytest-xdist runs several."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    return f"{os.environ.get('MPIGEN_TEST_LAB', name)}-{worker}".rstrip("-")


LAB = own_lab("test")
NODES = 3
# of a script in a job's container: says of each host whether mpirun's login is there still
KEPT = """
kept() {
    for host in $(cut -d ' ' -f 1 /run/mpi/hostfile); do
        ssh -O check -o ControlPath=/run/mpi/login-%C "$host" 2>&1 || :
    done
}
"""


@dataclass(frozen=True)
class Done:
    """A command that ended: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        """The lines of its errors; mpirun leaves out PRRTE's warning of a race with its child."""
        return self.err.splitlines()


def call(*command: str | Path, env: dict[str, str] | None = None, timeout: float = 300) -> Done:
    """Run a command, stdin closed; `timeout` is in seconds."""
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def check(*command: str | Path, env: dict[str, str] | None = None, timeout: float = 300) -> str:
    """What a command prints; the test fails with all of its words if it fails."""
    done = call(*command, env=env, timeout=timeout)
    assert done.code == 0, f"{command} ended with {done.code}\n{done.out}{done.err}"
    return done.out


@dataclass(frozen=True)
class Cluster:
    """A deployed site: its rendered folder, its stack, and the docker that manages it."""

    name: str
    output: Path
    env: dict[str, str]

    def script(self, name: str, *arguments: str, **env: str) -> Done:
        """Run a rendered script against the lab."""
        return call("sh", self.output / "scripts" / name, *arguments, env={**self.env, **env})

    def run(self, *arguments: str, **env: str) -> str:
        """What a job prints; it must end well."""
        done = self.script("run.sh", *arguments, **env)
        assert done.code == 0, f"run.sh {arguments} ended with {done.code}\n{done.out}{done.err}"
        return done.out

    def shell(self, script: str) -> Done:
        """What a script does in one container of a job, by `mpigen shell`."""
        done = subprocess.run(
            [sys.executable, "-m", "mpigen", "shell", "-o", self.output],
            env={**os.environ, **self.env},
            input=script,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def docker(self, *arguments: str) -> str:
        """What docker prints, asked on the manager."""
        return check("docker", *arguments, env=self.env)

    def tasks(self, group: str = "worker") -> dict[str, tuple[str, str]]:
        """Node and task id of each running host."""
        lines = self.docker(
            *("service", "ps", f"{self.name}_{group}", "--no-trunc"),
            *("--filter", "desired-state=running", "--format", "{{.Name}} {{.Node}} {{.ID}}"),
        ).splitlines()
        split = [line.split() for line in lines]
        return {f"{group}-{task.rpartition('.')[2]}": (node, id) for task, node, id in split}

    def verify(self, *arguments: str) -> Done:
        """Run the rendered checks by the command that users run."""
        mpigen = [sys.executable, "-m", "mpigen"]
        return call(*mpigen, "verify", "-o", self.output, *arguments, env=self.env, timeout=900)


def mpigen(verb: str, output: Path, *words: str) -> list[str | Path]:
    """The command line of a verb on a rendered folder."""
    return [sys.executable, "-m", "mpigen", verb, "-o", output, *words]


def make_site(folder: Path, text: str, program: bool = True) -> Path:
    """A site in `folder` with that mpigen.yaml and the reference program; its output folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mpigen.yaml").write_text(text, encoding="utf-8")
    if program:
        check("cp", "-R", ROOT / "app", folder / "app")
    check(sys.executable, "-m", "mpigen", "render", "-c", folder / "mpigen.yaml")
    return folder / "output"


def deployed(the_lab: lab.Lab, output: Path, name: str, env: dict[str, str], tag: str) -> Cluster:
    """A site, built, its image on every node, and deployed; whoever asks takes it down."""
    check("sh", output / "scripts" / "build.sh", timeout=600)
    lab.load(the_lab, tag, print)
    cluster = Cluster(name, output, env)
    done = cluster.script("deploy.sh")
    assert done.code == 0, done.out + done.err
    return cluster


@pytest.fixture(scope="session")
def the_lab() -> Iterator[lab.Lab]:
    """Three engines that are a Swarm, taken down at the end."""
    engine.ensure(print)
    lab.down(LAB, print)  # what a test run that was killed has left
    try:
        yield lab.up(LAB, NODES, print)
    finally:
        lab.down(LAB, print)


@pytest.fixture(scope="session")
def lab_env(the_lab: lab.Lab) -> dict[str, str]:
    """What makes plain docker talk to the lab's manager."""
    return {"DOCKER_HOST": the_lab.docker_host}


@pytest.fixture(scope="session")
def the_lab_dockers(the_lab: lab.Lab) -> list[dict[str, str]]:
    """What makes plain docker talk to each node, the manager first."""
    return [{"DOCKER_HOST": f"unix://{node.socket}"} for node in the_lab.nodes]
