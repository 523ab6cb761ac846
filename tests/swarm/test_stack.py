"""`mpigen deploy`, `status`, `scale` and `down`, and what they say of what is in the way."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests.interrupts import until, until_it_ends
from tests.swarm.conftest import Done, call, check, make_site

pytestmark = pytest.mark.long

TEXT = """\
name: stk
app: {source: app, check: hello}
network: {subnet: 10.82.0.0/27}
workers: [{name: cpu, replicas: 3, slots: 2}]
"""


@dataclass(frozen=True)
class Site:
    """A site whose verbs talk to the lab's manager."""

    folder: Path
    env: dict[str, str]

    def mpigen(self, verb: str, *words: str) -> Done:
        command = [sys.executable, "-m", "mpigen", verb, "-o", self.folder / "output", *words]
        return call(*command, env=self.env, timeout=400)

    def well(self, verb: str, *words: str) -> Done:
        """Run a verb that must end well."""
        done = self.mpigen(verb, *words)
        assert done.code == 0, done.out + done.err
        return done

    def render(self, text: str) -> None:
        (self.folder / "mpigen.yaml").write_text(text)
        check(sys.executable, "-m", "mpigen", "render", "-c", self.folder / "mpigen.yaml")

    def tasks(self) -> list[str]:
        """The ids of the running tasks."""
        command = ["docker", "service", "ps", "stk_cpu", "-q", "--filter", "desired-state=running"]
        return sorted(check(*command, env=self.env).split())


@pytest.fixture(scope="module")
def site(
    the_lab: lab.Lab, lab_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    base.ensure(engine.local(), "debian:trixie-slim", print)
    made = Site(tmp_path_factory.mktemp("stk"), lab_env)
    make_site(made.folder, TEXT)
    # it is built by this machine's engine, and each change of it below is one of stack.yml alone
    command = [sys.executable, "-m", "mpigen", "build", "-o", made.folder / "output"]
    check(*command, "--lab", the_lab.name, timeout=600)
    yield made
    made.render(TEXT)
    made.well("down")


@pytest.fixture(autouse=True)
def fresh(site: Site) -> None:
    """Each test begins with nothing deployed and the site as it was."""
    site.render(TEXT)
    site.well("down")


def refused(site: Site, *said: str) -> None:
    """A deploy that changes nothing, and says so."""
    done = site.mpigen("deploy", "--image", "stk:latest")
    assert done.code == 3, done.out + done.err
    assert "nothing was deployed" in done.err
    for text in said:
        assert text in done.err
    assert "stk" not in check("docker", "stack", "ls", env=site.env)


def test_from_nothing_to_a_job_and_back(site: Site) -> None:
    assert "is not deployed" in site.well("status").out
    first = site.well("deploy")
    assert "cpu: 3 containers on 3 nodes, 6 slots, stk:sha-" in first.out
    assert "3 of 3 containers are healthy" in first.err
    before = site.tasks()
    site.well("deploy")
    assert site.tasks() == before  # a second deploy of the same restarts nothing
    report = json.loads(site.well("status", "--json").out)
    assert (report["slots"], report["jobs"]) == (6, [])
    assert [node["containers"] for node in report["nodes"]] == [1, 1, 1]
    scaled = site.well("scale", "cpu=5")
    assert "cpu: 5 containers" in scaled.out and "replicas: 5" in scaled.out
    assert len(site.tasks()) == 5
    assert set(before) < set(site.tasks())  # those that were there go on, and so do their jobs
    site.well("deploy")  # back to what is rendered, without restarting what stays
    assert len(site.tasks()) == 3
    assert len(set(before) & set(site.tasks())) > 0
    done = site.well("down")
    assert done.out == "the stack stk is gone\n"
    assert "stk" not in check("docker", "network", "ls", env=site.env)
    assert site.well("down").out == "there is no stack stk\n"


def test_a_size_that_cannot_be_is_refused_with_all_reasons(site: Site) -> None:
    site.well("deploy")
    done = site.mpigen("scale", "cpu=26", "gpu=1")
    assert done.code == 2
    assert "there is no group gpu; groups: cpu" in done.err
    assert "26 containers on 3 nodes need 31 addresses, but 10.82.0.0/27 has 30" in done.err
    assert len(site.tasks()) == 3


def test_more_than_the_nodes_may_have_are_not_scaled_to(site: Site) -> None:
    site.render(TEXT.replace("replicas: 3", "replicas: 3, max_per_node: 1"))
    site.well("deploy", "--image", "stk:latest")
    before = site.tasks()
    done = site.mpigen("scale", "cpu=4")
    assert done.code == 2
    assert "stk_cpu: 4 containers are more than 1 per node on the 3 nodes" in done.err
    assert site.tasks() == before


def test_all_that_is_in_the_way_is_told_before_anything_is_deployed(
    site: Site, the_lab_dockers: list[dict[str, str]]
) -> None:
    check(
        *("docker", "network", "create", "-d", "overlay", "--subnet", "10.82.0.0/24", "stk-other"),
        env=site.env,
    )
    images = check("docker", "images", "--format", "{{.Repository}}:{{.Tag}}", env=site.env)
    tags = [image for image in images.split() if image.startswith("stk:")]
    third = the_lab_dockers[2]
    check("docker", "rmi", "--force", *tags, env=third)
    try:
        refused(
            site,
            "the subnet 10.82.0.0/27 overlaps 10.82.0.0/24 of the network stk-other",
            "node-3 cannot start stk:latest",
        )
    finally:
        check("docker", "network", "rm", "stk-other", env=site.env)
        source = subprocess.Popen(["docker", "save", *tags], stdout=subprocess.PIPE)
        subprocess.run(
            ["docker", "load"],
            stdin=source.stdout,
            env={"PATH": "/usr/bin:/bin:/usr/local/bin", **third},
            check=True,
            capture_output=True,
        )
        assert source.wait() == 0


def test_a_constraint_that_no_node_meets_is_told(site: Site) -> None:
    site.render(TEXT.replace("slots: 2", 'slots: 2, constraints: ["node.labels.rack==9"]'))
    refused(site, "cpu: none of the 3 nodes that are ready and active meets node.labels.rack==9")


def test_more_containers_than_the_nodes_may_have_are_told(site: Site) -> None:
    site.render(TEXT.replace("replicas: 3", "replicas: 4, max_per_node: 1"))
    refused(site, "cpu: 4 containers are more than 1 per node on the 3 nodes")


def test_another_subnet_of_a_network_that_is_there_needs_down_first(site: Site) -> None:
    site.well("deploy")
    before = site.tasks()
    site.render(TEXT.replace("10.82.0.0/27", "10.83.0.0/27"))
    assert "stk:latest is out of date: sources or" in site.mpigen("deploy").err
    done = site.mpigen("deploy", "--image", "stk:latest")
    assert done.code == 3
    assert "other options (subnet 10.82.0.0/27, not 10.83.0.0/27)" in done.err
    assert "mpigen down first" in done.err
    assert site.tasks() == before


def test_memory_that_no_node_has_is_told_and_not_waited_for(site: Site) -> None:
    extra = "slots: 2, stack: {deploy: {resources: {reservations: {memory: 900G}}}}"
    site.render(TEXT.replace("slots: 2", extra))
    began = time.monotonic()
    done = site.mpigen("deploy", "--wait", "300")
    assert done.code == 3
    assert time.monotonic() - began < 200  # it knows better than to wait
    assert "insufficient resources" in done.err
    assert "no node has that much memory or CPU free" in done.err
    assert "mpigen down removes it" in done.err


def test_a_worker_that_fails_is_shown_with_its_own_words(site: Site) -> None:
    command = 'slots: 2, stack: {command: ["sh", "-c", "echo no disk here >&2; exit 3"]}'
    site.render(TEXT.replace("slots: 2", command))
    done = site.mpigen("deploy", "--wait", "15")
    assert done.code == 3
    assert "cpu: 0 of 3 containers are healthy" in done.err
    assert "non-zero exit (3)" in done.err
    assert "no disk here" in done.err


def test_down_ends_the_jobs_that_are_on_the_network(site: Site) -> None:
    site.well("deploy")
    job = subprocess.Popen(
        ["sh", str(site.folder / "output/scripts/run.sh"), "sleep", "600"],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **site.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            if jobs := json.loads(site.well("status", "--json").out)["jobs"]:
                break
            time.sleep(0.2)
        assert len(jobs) == 1
        # another image would end it
        image = check("docker", "images", "--format", "{{.ID}}", "stk", env=site.env).split()[0]
        done = site.mpigen("deploy", "--image", image)
        assert done.code == 1
        assert "jobs are running on stk, and deploying another image ends them" in done.err
        assert job.poll() is None
        assert "ending the job" in site.well("down").err
    finally:
        job.terminate()
    assert job.wait() != 0


def test_what_another_engine_has_put_on_the_network_is_told(
    site: Site, the_lab_dockers: list[dict[str, str]]
) -> None:
    site.well("deploy")
    image = check("docker", "images", "--format", "{{.ID}}", "stk", env=site.env).split()[0]
    second = the_lab_dockers[1]
    there = check(
        *("docker", "run", "--rm", "--detach", "--network", "stk_mpi", image, "sleep", "600"),
        env=second,
    ).strip()
    told = f"{there[:12]} on node-2"
    try:
        assert json.loads(site.well("status", "--json").out)["jobs"] == [told]
        assert f"{told} may also be a job" in site.well("jobs").err
        done = site.mpigen("deploy", "--image", image)
        assert done.code == 1
        assert f"another image ends them: {told}" in done.err
        done = site.mpigen("down")
        assert done.code == 3
        assert "nothing was removed" in done.err
        assert told in done.err
        assert len(site.tasks()) == 3
    finally:
        check("docker", "rm", "--force", there, env=second)
    site.well("down")


def interrupted(site: Site, begun: Callable[[], bool], verb: str, *words: str) -> str:
    """What a verb says that gets Ctrl-C as soon as it has `begun`, and is held down."""
    command = [sys.executable, "-m", "mpigen", verb, "-o", str(site.folder / "output"), *words]
    with subprocess.Popen(
        command,
        env={**os.environ, **site.env},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        until(begun)
        assert until_it_ends(running, signal.SIGINT) == 130
        assert running.stderr
        return running.stderr.read()


def test_what_is_interrupted_says_what_goes_on(site: Site) -> None:
    # it never gets healthy, so the deploy waits
    command = 'slots: 2, stack: {command: ["sleep", "600"]}'
    site.render(TEXT.replace("slots: 2", command))

    def replicas() -> str:
        command = ["docker", "service", "ls", "--format", "{{.Name}} {{.Replicas}}"]
        return check(*command, env=site.env)

    said = interrupted(site, lambda: "stk_cpu" in replicas(), "deploy")
    assert "interrupted: Swarm continues with stk; mpigen status shows it" in said
    assert "mpigen down ends it" in said
    said = interrupted(site, lambda: "/4" in replicas(), "scale", "cpu=4")
    assert "interrupted: Swarm continues scaling; mpigen status shows it" in said
    said = interrupted(site, lambda: "stk_cpu" not in replicas(), "down")
    assert "interrupted: a part of stk may still be there; mpigen down removes it" in said


def test_status_goes_on_until_it_is_interrupted(site: Site) -> None:
    watching = subprocess.Popen(
        [sys.executable, "-m", "mpigen", "status", "--watch", "-o", str(site.folder / "output")],
        env={**os.environ, **site.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout
    seen = 0
    for line in watching.stdout:
        seen += "the stack stk is not deployed" in line
        if seen == 2:
            break
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=30)
    assert watching.returncode == 130
    assert "Traceback" not in said
