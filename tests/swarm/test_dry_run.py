"""`mpigen deploy --dry-run`: what it says of a real Swarm, that it is true, and that it changes
nothing."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from mpigen.lab import base, engine, lab
from tests.swarm.conftest import Done, call, check, make_site

pytestmark = pytest.mark.long

KEPT_KINDS = ("secret", "config")
TEXT = """\
name: dry
app: {source: app, check: hello}
network: {subnet: 10.83.0.0/26}
workers: [{name: cpu, replicas: 3, slots: 2}]
ssh: {delivery: secret}
"""


@dataclass(frozen=True)
class Site:
    """A site whose verbs talk to the lab's manager."""

    folder: Path
    env: dict[str, str]

    def mpigen(self, *words: str) -> Done:
        verb, *rest = words
        command = [sys.executable, "-m", "mpigen", verb, "-o", self.folder / "output", *rest]
        return call(*command, env=self.env)

    def well(self, *words: str) -> str:
        """What a verb prints; it must end well."""
        done = self.mpigen(*words)
        assert done.code == 0, done.out + done.err
        return done.out

    def render(self, text: str) -> None:
        (self.folder / "mpigen.yaml").write_text(text)
        check(sys.executable, "-m", "mpigen", "render", "-c", self.folder / "mpigen.yaml")

    def docker(self, *words: str) -> list[str]:
        return check("docker", *words, env=self.env).split()

    def swarm(self) -> list[str]:
        """All that a deploy could change, with its version, and the manager's images."""
        api = docker.DockerClient(self.env["DOCKER_HOST"]).api
        there = [*api.services(), *api.secrets(), *api.configs()]
        found = [f"{each['ID']} {each['Version']['Index']}" for each in there]
        found += [each["Id"] for each in [*api.networks(), *api.images()]]
        return sorted(found + self.tasks())

    def tasks(self) -> list[str]:
        """The ids of the containers that Swarm wants."""
        api = docker.DockerClient(self.env["DOCKER_HOST"]).api
        return sorted(each["ID"] for each in api.tasks({"desired-state": "running"}))

    @property
    def image(self) -> tuple[str, str]:
        """The option for the image that is deployed, whatever is rendered meanwhile."""
        given = "{{.Spec.TaskTemplate.ContainerSpec.Image}}"
        return "--image", self.docker("service", "inspect", "--format", given, "dry_cpu")[0]

    def completed(self, what: str, begun: str) -> list[str]:
        """What a shell completes, with more patience than it has, for a busy machine."""
        program = f"""if True:
            import sys
            from types import SimpleNamespace as Context
            from mpigen.cli import complete

            complete.SECONDS = 60.0
            print(*complete.{what}(Context(params={{"output": sys.argv[1]}}), {begun!r}))
        """
        output = str(self.folder / "output")
        return check(sys.executable, "-c", program, output, env=self.env).split()

    def plan(self, *words: str) -> tuple[str, dict[str, Any]]:
        """A dry run in lines and as JSON; both end with 0, and change nothing."""
        before = self.swarm()
        lines = self.well("deploy", "--dry-run", *words)
        said = json.loads(self.well("deploy", "--dry-run", "--json", *words))
        assert self.swarm() == before
        return lines, said


@pytest.fixture(scope="module")
def site(
    the_lab: lab.Lab, lab_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A site that is built, and not yet deployed."""
    base.ensure(engine.local(), "debian:trixie-slim", print)
    made = Site(tmp_path_factory.mktemp("dry"), lab_env)
    make_site(made.folder, TEXT)
    command = [sys.executable, "-m", "mpigen", "build", "-o", made.folder / "output"]
    check(*command, "--lab", the_lab.name, timeout=600)
    yield made
    made.well("down")


@pytest.fixture(scope="module")
def deployed(site: Site) -> Site:
    """The site after its first deploy, of which a dry run has said what would come."""
    lines, said = site.plan()
    made = [(each["action"], each["kind"]) for each in said["changes"]]
    kinds = ("network", "secret", "secret", "config", "config", "service")
    assert made == [("create", kind) for kind in kinds]
    assert "  + service dry_cpu: 3 containers started\n" in lines
    assert lines.endswith("next: mpigen deploy\n")
    site.well("deploy")
    return site


@pytest.fixture(autouse=True)
def as_it_was(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test begins with the site as it is deployed."""
    yield
    if "deployed" in request.fixturenames:
        request.getfixturevalue("deployed").render(TEXT)


def services(said: dict[str, Any]) -> dict[str, dict[str, int]]:
    return {c["name"]: c["containers"] for c in said["changes"] if c["kind"] == "service"}


def test_nothing_changed(deployed: Site) -> None:
    lines, said = deployed.plan()
    assert said["empty"] and said["changes"] == said["refused"] == said["unknown"] == []
    assert "no changes: the deployed stack matches the rendered one\n" in lines
    tasks = deployed.tasks()
    deployed.well("deploy")
    assert deployed.tasks() == tasks
    # a shell asks the same engine for the workers that there are
    assert deployed.completed("hosts", "cpu-") == ["cpu-1", "cpu-2", "cpu-3"]


def test_an_image_changed_and_the_job_that_it_ends(deployed: Site) -> None:
    other = "FROM dry:latest\nLABEL other=1\n"
    context = deployed.folder / "other"
    context.mkdir()
    (context / "Dockerfile").write_text(other)
    check("docker", "build", "-q", "-t", "dry:other", context, env=deployed.env)
    deployed.well("run", "--detach", "--name", "sleeper", "--", "sleep", "600")
    try:
        lines, said = deployed.plan("--image", "dry:other")
        assert deployed.completed("jobs", "sl") == ["sleeper"]
    finally:
        deployed.well("cancel", "sleeper")
        deployed.well("jobs", "--remove", "sleeper")
    assert services(said) == {"dry_cpu": {"started": 0, "replaced": 3, "removed": 0}}
    (change,) = said["changes"]
    assert [each["what"] for each in change["differences"]] == ["image", "image id"]
    assert said["jobs"] == {"running": ["sleeper"], "all_end": True}
    assert "-> dry:other\n" in lines and "this ends running jobs: sleeper\n" in lines


def test_a_group_added(deployed: Site) -> None:
    deployed.render(TEXT.replace("}]", "}, {name: big, replicas: 2, slots: 1}]"))
    lines, said = deployed.plan(*deployed.image)
    assert "  + service dry_big: 2 containers started\n" in lines
    assert services(said)["dry_big"] == {"started": 2, "replaced": 0, "removed": 0}
    # what is rendered was not built: a deploy without --image would say so, and change nothing
    assert "dry:latest is out of date: sources or" in deployed.plan()[1]["refused"][0]


def test_a_group_that_is_gone_stays(deployed: Site) -> None:
    deployed.render(TEXT.replace("name: cpu", "name: gpu"))
    lines, said = deployed.plan(*deployed.image)
    assert "  = service dry_cpu: not in stack.yml, but kept: docker service rm dry_cpu" in lines
    assert services(said)["dry_cpu"] == {"started": 0, "replaced": 0, "removed": 0}


def test_a_group_made_smaller(deployed: Site) -> None:
    deployed.render(TEXT.replace("replicas: 3", "replicas: 2"))
    lines, said = deployed.plan(*deployed.image)
    assert services(said) == {"dry_cpu": {"started": 0, "replaced": 0, "removed": 1}}
    assert "      ~ replicas: 3 -> 2\n" in lines


def test_keys_rotated(deployed: Site) -> None:
    keys, kept = deployed.folder / "output" / "keys", deployed.folder / "kept"
    check("cp", "-R", keys, kept)
    # where the Swarm has the private halves, none is needed
    for name in ("id_ed25519", "ssh_host_ed25519_key"):
        (keys / name).unlink()
    assert deployed.plan(*deployed.image)[1]["empty"]
    check("cp", "-R", f"{kept}/.", keys)
    check(sys.executable, "-m", "mpigen", "keys", "rotate", "-c", deployed.folder / "mpigen.yaml")
    lines, said = deployed.plan(*deployed.image)
    there = {kind: deployed.docker(kind, "ls", "--format", "{{.Name}}") for kind in KEPT_KINDS}
    deployed.well("deploy", *deployed.image)
    now = {kind: deployed.docker(kind, "ls", "--format", "{{.Name}}") for kind in KEPT_KINDS}
    made = [each["kind"] for each in said["changes"] if each["action"] == "create"]
    assert made == ["secret", "secret", "config", "config"]
    assert services(said) == {"dry_cpu": {"started": 0, "replaced": 3, "removed": 0}}
    assert "      - secrets: dry_user_key_" in lines and "      + secrets: dry_user_key_" in lines
    gone = [each["name"] for each in said["changes"] if each["action"] == "remove"]
    assert len(gone) == 4 and f"  - secret {gone[-1]}\n" in lines
    assert "4 to create, 1 to change, 4 to remove; " in lines
    for kind in KEPT_KINDS:
        of_kind = [each for each in said["changes"] if each["kind"] == kind]
        made = {each["name"] for each in of_kind if each["action"] == "create"}
        assert set(now[kind]) == set(there[kind]) - set(gone) | made
    private = (kept / "id_ed25519").read_text().splitlines()[1]
    assert private not in lines + json.dumps(said)


def test_a_subnet_changed(deployed: Site) -> None:
    deployed.render(TEXT.replace("10.83.0.0", "10.84.0.0"))
    lines, said = deployed.plan(*deployed.image)
    (why,) = said["refused"]
    assert "subnet 10.83.0.0/26, not 10.84.0.0/26" in why and "mpigen down first" in why
    assert f"  ! deploy would refuse: {why}\n" in lines
    assert deployed.mpigen("deploy", *deployed.image).code == 3


@pytest.mark.parametrize(
    ("more", "what", "replaced"),
    [
        (
            "deploy: {update_config: {delay: 3s}, placement: {constraints: [node.labels.no != 1]}}",
            {"UpdateConfig.Delay", "Placement.Constraints"},
            0,
        ),
        (
            "{stop_grace_period: 7s, environment: {WORD: of-ours}}",
            {"StopGracePeriod", "environment (values not shown)"},
            3,
        ),
    ],
    ids=["kept", "replaced"],
)
def test_swarm_replaces_the_containers_that_were_told(
    deployed: Site, more: str, what: set[str], replaced: int
) -> None:
    more = more if more.startswith("{") else f"{{{more}}}"
    deployed.render(TEXT + f"stack: {{services: {{cpu: {more}}}}}\n")
    lines, said = deployed.plan(*deployed.image)
    (change,) = said["changes"]
    assert what <= {each["what"] for each in change["differences"]}
    assert change["containers"]["replaced"] == replaced
    assert "of-ours" not in lines + json.dumps(said)
    before = set(deployed.tasks())
    deployed.well("deploy", *deployed.image)
    assert len(before - set(deployed.tasks())) == replaced
