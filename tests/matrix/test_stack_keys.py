"""The keys of each version of stack files, deployed: what a site writes is in its containers."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from mpigen.lab import base, engine, lab
from tests.swarm.conftest import Cluster, call, check, make_site, mpigen

pytestmark = pytest.mark.long

IMAGE = "stack-keys:latest"
# the oldest engine, the group's own keys, and those of the whole file
TEXT = """\
name: stack-keys
engine: {{minimum: '{engine}'}}
network: {{subnet: 10.89.0.0/24}}
workers: [{{name: worker, replicas: 2, slots: 1, stack: {{{keys}}}}}]
stack: {{{file}}}
"""
SYSCTLS = "com.docker.network.endpoint.sysctls"
MARTIANS = "net.ipv4.conf.IFNAME.log_martians=1"


class Case(NamedTuple):
    """Keys of a version of stack files, and where an engine shows them: in the task or container.

    Version 3.11 has no key of its own that Docker deploys.
    """

    engine: str
    keys: str
    place: str
    value: Any
    file: str = ""


CASES = {
    "3.9": Case("20.10", "deploy: {resources: {limits: {pids: 500}}}", "HostConfig.PidsLimit", 500),
    "3.10": Case(
        "23.0",
        "labels: {a: b}",
        "Config.Labels.a",
        "b",
        f"services: {{once: {{image: '{IMAGE}', entrypoint: ['true'],"
        " deploy: {mode: replicated-job, restart_policy: {condition: none}}}}",
    ),
    "3.11": Case("24.0", "deploy: {resources: {limits: {pids: 600}}}", "HostConfig.PidsLimit", 600),
    "3.12": Case(
        "25.0",
        "healthcheck: {start_interval: 3s}",
        "Config.Healthcheck.StartInterval",
        3_000_000_000,
    ),
    "3.13": Case(
        "27.0",
        f"networks: {{mpi: {{driver_opts: {{{SYSCTLS}: '{MARTIANS}'}}}}}}",
        "NetworkSettings.Networks.stack-keys_mpi.DriverOpts",
        {SYSCTLS: MARTIANS},
    ),
    # which this machine's client, as all of 27.1 to 29.1, reads and drops
    "3.13, since 27.1": Case("27.1", "oom_score_adj: 500", "HostConfig.OomScoreAdj", 500),
}


@pytest.fixture(scope="module")
def site(newest: lab.Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The site without keys of its own: its image is that of all cases."""
    base.ensure(engine.local(), "debian:trixie-slim", print)
    folder = tmp_path_factory.mktemp("stack-keys")
    output = make_site(folder, TEXT.format(engine="20.10", keys="", file=""), program=False)
    check("sh", output / "scripts/build.sh", timeout=900)
    lab.load(newest, IMAGE, print)
    made = Cluster("stack-keys", output, {"DOCKER_HOST": newest.docker_host})
    yield made
    check(*mpigen("down", output), env=made.env)


@pytest.mark.parametrize("name", CASES)
def test_the_keys_of_a_version_are_in_the_containers(
    site: Cluster, newest: lab.Lab, name: str
) -> None:
    case = CASES[name]
    warned = render(site.output, case)
    stack = yaml.safe_load((site.output / "stack.yml").read_text("utf-8"))
    assert stack["version"] == name.partition(",")[0]
    deployed = call(*mpigen("deploy", site.output, "--image", IMAGE), env=site.env)
    assert deployed.code == 0, deployed.out + deployed.err
    script = site.script("deploy.sh", IMAGE=IMAGE)
    assert script.code == 0, script.out + script.err
    (found, *others) = [seen(newest, task, case.place) for task in site.tasks().values()]
    assert others == [found]
    if "oom_score_adj" in case.keys and drops_oom_score_adj():
        assert found == 0
        assert "oom_score_adj" in warned
    else:
        assert found == case.value
        assert warned == ""
    if case.file:
        once = site.docker(
            "service", "inspect", "stack-keys_once", "--format", "{{json .Spec.Mode}}"
        )
        assert "ReplicatedJob" in json.loads(once)
        done = ("service", "ps", "stack-keys_once", "--format", "{{.CurrentState}}")
        assert site.docker(*done).startswith("Complete")
    assert "worker-1\nworker-2\n" in "".join(sorted(site.run("uname", "-n").splitlines(True)))


def render(output: Path, case: Case) -> str:
    """The site with a case's keys; what the render warns of."""
    file = output.parent / "mpigen.yaml"
    text = TEXT.format(engine=case.engine, keys=case.keys, file=case.file)
    file.write_text(text, encoding="utf-8")
    done = call(sys.executable, "-m", "mpigen", "render", "-c", file)
    assert done.code == 0, done.err
    return done.err


def seen(the_lab: lab.Lab, task: tuple[str, str], place: str) -> Any:
    """What the engine of a task's node has at that place of the task's container."""
    node, id = task
    docker = next(each.docker_host for each in the_lab.nodes if each.name == node)
    env = {"DOCKER_HOST": docker}
    label = f"label=com.docker.swarm.task.id={id}"
    container = check("docker", "ps", "--quiet", "--filter", label, env=env).strip()
    value = json.loads(check("docker", "inspect", container, env=env))[0]
    while place:
        key = next(each for each in value if place == each or place.startswith(f"{each}."))
        value, place = value[key], place[len(key) + 1 :]
    return value


def drops_oom_score_adj() -> bool:
    """Whether this machine's client drops the key."""
    version = check("docker", "version", "--format", "{{.Client.Version}}")
    numbers = tuple(map(int, version.strip().partition("+")[0].split(".")[:2]))
    return (27, 1) <= numbers < (29, 2)
