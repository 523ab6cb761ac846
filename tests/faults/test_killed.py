"""SIGKILL of each verb at a random moment: the verb works again, and nothing is left for ever.

What a killed command has left is taken by the next one, or `mpigen jobs` names it. One moment of
each verb in CI; `pytest tests/faults/test_killed.py --kills 20` is for a whole look.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests import leftovers
from tests.faults.conftest import until
from tests.figures import figure
from tests.swarm.conftest import Cluster, Done, call, check, deployed, make_site, own_lab

pytestmark = pytest.mark.long

MPIGEN = [sys.executable, "-m", "mpigen"]
OTHER_LAB = f"{own_lab('test')}-other"
TEXT = """\
name: killed
app: {source: app, check: hello}
image: {bench: true}
network: {subnet: 10.82.0.0/24}
workers: [{replicas: 3, max_per_node: 1, slots: 1}]
ssh: {delivery: secret}
"""


@dataclass
class Site:
    """A deployed site, whose commands have a folder of their own for temporary files."""

    cluster: Cluster
    scratch: Path
    number: int = 0

    @property
    def folder(self) -> Path:
        """The site's folder."""
        return self.cluster.output.parent

    @property
    def env(self) -> dict[str, str]:
        """What the cluster's own commands get."""
        return {**self.cluster.env, "TMPDIR": str(self.scratch)}

    @property
    def here(self) -> dict[str, str]:
        """What makes mpigen talk to this machine's engine."""
        return {**self.env, "DOCKER_HOST": ""}

    def mpigen(self, *words: str) -> Done:
        """A command that nobody kills."""
        return call(*MPIGEN, *words, "-o", self.cluster.output, env=self.env, timeout=300)


Words = Callable[[Site], list[str]]
"""A command's words for a site."""


@dataclass(frozen=True)
class Verb:
    """A command: its words, what makes it ready, and the exit codes that are right."""

    words: Words
    seconds: float  # about what it takes: it is killed at a moment within that
    prepare: Callable[[Site], object] = id
    right: tuple[int, ...] = (0,)
    # of a site's own machine, whose engine is no Swarm
    here: bool = False
    # the command that takes what is left, if it is another one
    then: tuple[str, ...] = ()
    # what must work next, if the verb itself takes too long
    after: Words | None = None


def of_cluster(*words: str) -> Words:
    """A verb's words, with the rendered folder before those of a program."""

    def made(site: Site) -> list[str]:
        verb, *others = (word.replace("SITE", str(site.folder)) for word in words)
        return [verb, "-o", str(site.cluster.output), *others]

    return made


def plain(*words: str) -> Words:
    """A verb that is given no rendered folder."""
    return lambda site: [word.replace("SITE", str(site.folder)) for word in words]


def change(site: Site) -> None:
    """Change the program, and so the image."""
    site.number += 1
    source = site.folder / "app/note.txt"
    source.write_text(f"{site.number}\n", "utf-8")


def build(site: Site) -> None:
    """Build a changed image on this machine, where the lab's nodes lack it."""
    change(site)
    check("sh", site.cluster.output / "scripts/build.sh", timeout=300)


def batch(site: Site, name: str, *program: str) -> bool:
    """Have a batch job of that name; whether it was submitted just now."""
    if name in [each["name"] for each in json.loads(site.mpigen("jobs", "--json").out)]:
        return False
    words = ("run", "-o", str(site.cluster.output), "--detach", "--name", name, "--")
    check(*MPIGEN, *words, *program, env=site.env)
    return True


def submit(site: Site) -> None:
    """Have a batch job that runs for long, called `long`."""
    site.mpigen("jobs", "--remove", "long")
    batch(site, "long", "sleep", "600")


def finished(site: Site) -> None:
    """Have a batch job that has ended, called `short`."""
    if batch(site, "short", "uname", "-n"):
        assert site.mpigen("wait", "short").code == 0


def other_lab_up(site: Site) -> None:
    """Have another lab."""
    check(*MPIGEN, "lab", "up", "--nodes", "2", "--name", OTHER_LAB, env=site.here)


def other_lab_down(site: Site) -> None:
    """Have no other lab."""
    check(*MPIGEN, "lab", "down", "--name", OTHER_LAB, env=site.here)


SHORT = of_cluster("run", "--", "uname", "-n")
VERBS = {
    "render": Verb(plain("render", "-c", "SITE/mpigen.yaml"), 0.5, change),
    "keys rotate": Verb(plain("keys", "rotate", "-c", "SITE/mpigen.yaml"), 0.5, then=("deploy",)),
    "build": Verb(of_cluster("build", "--lab", "LAB"), 8, change, here=True),
    "lab load": Verb(plain("lab", "load", "killed:latest", "--name", "LAB"), 4, build, here=True),
    "deploy": Verb(of_cluster("deploy"), 5, lambda site: site.mpigen("scale", "worker=2")),
    "status": Verb(of_cluster("status"), 0.5),
    "doctor": Verb(of_cluster("doctor"), 6, right=(0, 1)),
    "run": Verb(of_cluster("run", "--", "sh", "-c", "sleep 0.5; uname -n"), 2.5),
    "run --detach": Verb(of_cluster("run", "--detach", "--", "uname", "-n"), 0.5),
    "shell": Verb(of_cluster("shell"), 1.5),
    "push": Verb(of_cluster("push", "SITE/mpigen.yaml"), 1.5),
    "pull": Verb(of_cluster("pull", "/etc/hostname", "--to", "SITE/pulled"), 1.5),
    "bench": Verb(of_cluster("bench", "--report", "SITE/report.html"), 30, after=SHORT),
    "jobs": Verb(of_cluster("jobs"), 0.4, finished),
    "logs": Verb(of_cluster("logs", "short"), 0.4, finished),
    "wait": Verb(of_cluster("wait", "short"), 0.4, finished),
    "cancel": Verb(of_cluster("cancel", "long"), 3, submit),
    "jobs --clear": Verb(of_cluster("jobs", "--clear"), 0.6, finished),
    "scale": Verb(of_cluster("scale", "worker=2"), 1, then=("scale", "worker=3")),
    "verify": Verb(of_cluster("verify"), 22, after=SHORT),
    "down": Verb(of_cluster("down"), 4, then=("deploy",)),
    "lab up": Verb(
        plain("lab", "up", "--nodes", "2", "--name", OTHER_LAB), 10, other_lab_down, here=True
    ),
    "lab down": Verb(plain("lab", "down", "--name", OTHER_LAB), 3, other_lab_up, here=True),
}


@pytest.fixture(scope="module")
def site(the_lab: lab.Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Three workers on three nodes, with their keys as Swarm secrets, and all of it gone later."""
    base.ensure(engine.local(), "debian:trixie-slim", print)
    networks = leftovers.networks(the_lab)
    output = make_site(tmp_path_factory.mktemp("killed"), TEXT)
    env = {"DOCKER_HOST": the_lab.docker_host}
    cluster = deployed(the_lab, output, "killed", env, "killed:latest")
    made = Site(cluster, tmp_path_factory.mktemp("scratch"))
    yield made
    done = made.mpigen("down")
    assert done.code == 0, done.err
    assert leftovers.networks(the_lab) == networks
    for kind in ("service", "secret", "config", "stack"):
        there = cluster.docker(kind, "ls", "--format", "{{.Name}}").split()
        assert [each for each in there if "killed" in each or "mpigen" in each] == []
    # Swarm removes containers of ended tasks after their network
    until(lambda: containers(the_lab) == [], 60, "no container of the cluster")
    # builds that failed say where their log is
    assert [each.name for each in made.scratch.iterdir()] == []


def test_every_verb_is_killed() -> None:
    verbs = set(re.findall(r"^  ([a-z]+)  ", check(*MPIGEN, "--help"), re.MULTILINE))
    assert "deploy" in verbs
    # these write nothing but what they print, or what `init` was asked for; lab has its own lines
    silent = {"init", "validate", "schema", "templates", "keys", "lab"}
    assert verbs - silent == {name.split()[0] for name in VERBS} - {"keys", "lab"}


@pytest.mark.parametrize("name", VERBS)
def test_a_killed_verb_works_again_and_leaves_nothing(
    site: Site, the_lab: lab.Lab, name: str, request: pytest.FixtureRequest
) -> None:
    verb = VERBS[name]
    words = [the_lab.name if word == "LAB" else word for word in verb.words(site)]
    env = {**os.environ, **(site.here if verb.here else site.env)}
    whole = verb.seconds
    after = verb.after(site) if verb.after else words
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    kills = request.config.getoption("--kills")
    killed, worst = 0, 0.0
    for _ in range(kills):
        if verb.then:
            assert_right(site.mpigen(*verb.then), (0,), f"{name}, seed {seed}")
        verb.prepare(site)
        moment = chance.uniform(0, whole)
        killed += kill(words, env, moment)
        moments = f"{name}, killed after {moment:.2f} s of {whole}, seed {seed}"
        worst = max(worst, again(verb, after, env, moments))
        if verb.then:
            assert_right(site.mpigen(*verb.then), (0,), moments)
        assert_none_is_left(site, the_lab, moments)
    figure(
        f"{request.node.name}: seed {seed}; {killed} of {kills} killed before their end;"
        f" then it took {worst:.1f} s at most"
    )


def again(verb: Verb, words: list[str], env: dict[str, str], when: str) -> float:
    """Run a command to its end, which must be right; how many seconds it took."""
    began = time.monotonic()
    done = subprocess.run(
        [*MPIGEN, *words], env=env, input="true\n", capture_output=True, text=True, timeout=300
    )
    assert_right(Done(done.returncode, done.stdout, done.stderr), verb.right, when)
    return time.monotonic() - began


def assert_right(done: Done, right: tuple[int, ...], when: str) -> None:
    """A command that came after a killed one must end well."""
    assert done.code in right, f"{when}: then {done.code}\n{done.out}{done.err}"


def kill(words: list[str], env: dict[str, str], moment: float) -> bool:
    """Kill a command that many seconds after its start; whether it had not ended before."""
    with subprocess.Popen(
        [*MPIGEN, *words],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as command:
        time.sleep(moment)
        command.kill()
        command.wait()
        return command.returncode == -signal.SIGKILL


def containers(the_lab: lab.Lab) -> list[str]:
    """The containers of the cluster on all nodes, ended ones too."""
    ours = ("docker", "ps", "--all", "--format", "{{.Names}}", "--filter", "name=killed")
    each = [check(*ours, env={"DOCKER_HOST": node.docker_host}) for node in the_lab.nodes]
    return "".join(each).split()


def assert_none_is_left(site: Site, the_lab: lab.Lab, when: str) -> None:
    """Jobs end by themselves or are named; no probe stays, and no layer has a key."""
    probes = site.cluster.docker("service", "ls", "-q", "--filter", "label=mpigen.probe")
    if probes:
        assert_right(site.mpigen("doctor"), (0, 1), when)
        probes = site.cluster.docker("service", "ls", "-q", "--filter", "label=mpigen.probe")
    assert probes == "", when
    deadline = time.monotonic() + 90
    # a batch job stays until it is removed
    while left := [each for each in leftovers.found(the_lab) if "killed_job-" not in each]:
        listed = json.loads(site.mpigen("jobs", "--json").out)
        for job in listed:
            if job["kind"] == "foreground" and job["state"] == "pending":
                assert not has_key(site, job["id"]), when
                site.mpigen("cancel", job["name"])
        assert time.monotonic() < deadline, f"{when}: left: {left}; listed: {listed}"
        time.sleep(0.5)


def has_key(site: Site, container: str) -> bool:
    """Whether a container that does not run has a private key in its layer."""
    copied = call("docker", "cp", f"{container}:/etc/mpi/id_ed25519", "-", env=site.cluster.env)
    return copied.code == 0 and bool(copied.out)
