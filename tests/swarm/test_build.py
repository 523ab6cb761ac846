"""`mpigen build` on real engines: by content, to each node that lacks it, or saying who does."""

import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from mpigen.artifacts import folder
from mpigen.errors import ClusterError, InputError
from mpigen.image import platforms, select, startable
from mpigen.lab import base, engine, lab, tarball
from mpigen.lab.nodes import Node
from mpigen.swarm.engine import Endpoint, Engine, client_of
from tests.swarm import mirror
from tests.swarm.conftest import Done, call, check, make_site

TEXT = "name: built\napp: {source: app}\nnetwork: {subnet: 10.81.0.0/24}\n"


def build(site: Path, *words: str, **env: str) -> Done:
    command = (sys.executable, "-m", "mpigen", "build", "-o", site / "output", *words)
    return call(*command, env=env, timeout=600)


def reference(done: Done) -> str:
    """The tag by content that a build says."""
    assert done.code == 0, done.out + done.err
    found = re.search(r"^(?:built|unchanged): built:latest is (built:sha-\w{12})$", done.out, re.M)
    assert found, done.out
    return found[1]


def wait_for(what: Callable[[], object], seconds: float = 60) -> None:
    """Poll until `what` is true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def manager(the_lab: lab.Lab) -> Engine:
    where = Endpoint(the_lab.docker_host, "the lab")
    return Engine(client_of(where), where)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    base.ensure(engine.local(), "debian:trixie-slim", print)
    make_site(tmp_path, TEXT)
    return tmp_path


@pytest.fixture
def small(site: Path) -> Path:
    """The site with an image that is built and copied in no time."""
    dockerfile = "FROM debian:trixie-slim AS first\nCOPY app/ /src/\nFROM first\nUSER 1000:1000\n"
    (site / "output/Dockerfile").write_text(dockerfile)
    return site


def render(site: Path, text: str) -> None:
    """Render a small site anew, with that mpigen.yaml."""
    dockerfile = (site / "output/Dockerfile").read_text()
    (site / "mpigen.yaml").write_text(text)
    check(sys.executable, "-m", "mpigen", "render", "--force", "-c", site / "mpigen.yaml")
    (site / "output/Dockerfile").write_text(dockerfile)


TWO_BASES = "mpigen-test-base:1"
TWO = f"image: {{base: '{TWO_BASES}', platforms: [linux/amd64, linux/arm64]"


@pytest.fixture
def two(
    small: Path, tmp_path: Path, the_lab: lab.Lab, the_lab_dockers: list[dict[str, str]]
) -> Iterator[Path]:
    """The small site for two processors: it runs nothing, so that no engine has to emulate one."""
    lab.load(the_lab, "debian:trixie-slim", print)
    dockerfile = f"ARG BASE={TWO_BASES}\nFROM $BASE\nCOPY app/ /src/\nUSER 1000:1000\n"
    (small / "output/Dockerfile").write_text(dockerfile)
    with tarfile.open(tmp_path / "layer.tar", "w") as layer:
        layer.add(small / "app/Makefile", "Makefile")
    other = f"{TWO_BASES}.arm64"
    tarball.write(tmp_path / "layer.tar", tmp_path / "image.tar", other, "linux/arm64")
    for env in ({}, the_lab_dockers[0]):
        check("docker", "load", "-i", tmp_path / "image.tar", env=env)
        check("docker", "tag", "debian:trixie-slim", TWO_BASES, env=env)
    yield small
    for env in ({}, the_lab_dockers[0]):
        call("docker", "rmi", TWO_BASES, other, env=env)


def platform_of(name: str, env: dict[str, str]) -> str:
    shown = ("docker", "image", "inspect", "--format", "{{.Os}}/{{.Architecture}}")
    return check(*shown, name, env=env).strip()


def test_an_unchanged_input_is_not_built_again_and_a_changed_one_is(site: Path) -> None:
    first = build(site, "--no-distribute")
    assert re.search(r"\[1/\d\d\] FROM debian:trixie-slim AS build", first.err), first.err
    assert "built: " in first.out
    again = build(site, "--no-distribute")
    assert reference(again) == reference(first) and "unchanged: " in again.out
    assert "FROM" not in again.err
    with (site / "app/hello.cpp").open("a") as file:
        file.write("// changed\n")
    other = build(site, "--no-distribute")
    assert "built: " in other.out and reference(other) != reference(first)
    ids = check("docker", "images", "--no-trunc", "--format", "{{.Tag}} {{.ID}}", "built")
    tags = dict(line.split() for line in ids.splitlines())
    assert tags["latest"] == tags[reference(other).partition(":")[2]]


def test_each_node_that_lacks_it_gets_it_and_one_without_endpoint_is_named(
    small: Path, the_lab: lab.Lab, the_lab_dockers: list[dict[str, str]]
) -> None:
    tag = reference(build(small, "--lab", the_lab.name))
    check("docker", "rmi", "--force", tag, "built:latest", env=the_lab_dockers[2])
    done = build(small, "--lab", the_lab.name)
    assert reference(done) == tag
    assert "node-1 has " + tag + " already" in done.err
    assert re.search(rf"node-3 has {tag} \(\d", done.err)
    for env in the_lab_dockers:
        for name in (tag, "built:latest"):
            check("docker", "image", "inspect", name, env=env)
    # the site's file tells of two nodes, and the third has it no more
    known = (the_lab.nodes[0], the_lab.nodes[2])
    name_endpoints(small, *known)
    check("docker", "rmi", "--force", tag, "built:latest", env=the_lab_dockers[1])
    partly = build(small)
    assert partly.code == 3, partly.out
    assert re.search(rf"cannot start {tag}:\n  node-2: .*[Nn]o such image", partly.err), partly.err
    assert "node-3: " not in partly.err
    assert "image.endpoints" in partly.err
    assert not check("docker", "service", "ls", "-q", env=the_lab_dockers[0])
    # where no worker may be, nothing is missed
    name_endpoints(small, *known, more="constraints: [node.hostname!=node-2]")
    assert reference(build(small)) == tag


def name_endpoints(site: Path, *nodes: Node, more: str = "") -> None:
    """Render the site with the endpoints of those nodes, and with more of the worker group."""
    endpoints = ", ".join(f"{node.name}: '{node.docker_host}'" for node in nodes)
    workers = f"workers: [{{name: worker, {more}}}]\n" if more else ""
    render(site, f"{TEXT}{workers}image: {{endpoints: {{{endpoints}}}}}\n")


def test_a_silent_node_is_named_and_keeps_no_other_from_it(
    small: Path, the_lab: lab.Lab, the_lab_dockers: list[dict[str, str]]
) -> None:
    endpoints = f"server9: 'unix:///nowhere.sock', node-3: '{the_lab.nodes[2].docker_host}'"
    render(small, f"{TEXT}image: {{endpoints: {{{endpoints}}}}}\n")
    (small / "app/new").write_text("content of its own\n")
    done = build(small)
    assert done.code == 3
    assert (
        "no Docker engine answers at unix:///nowhere.sock (image.endpoints of server9)" in done.err
    )
    tag = re.search(r"copying (built:sha-\w+) .* to node-3$", done.err, re.M)
    assert tag, done.err
    check("docker", "image", "inspect", tag[1], env=the_lab_dockers[2])


def test_a_labs_manager_builds_for_its_lab(
    small: Path, the_lab: lab.Lab, the_lab_dockers: list[dict[str, str]]
) -> None:
    lab.load(the_lab, "debian:trixie-slim", print)
    (small / "app/new").write_text("another content of its own\n")
    tag = reference(build(small, **the_lab_dockers[0]))
    for env in the_lab_dockers:
        check("docker", "image", "inspect", tag, env=env)


def test_what_is_deployed_is_what_the_folder_holds(small: Path, the_lab: lab.Lab) -> None:
    local = Engine(engine.local(), engine.local_endpoint())
    read = folder.read(small / "output")
    with pytest.raises(ClusterError, match="has no image built") as none:
        select.reference_to_deploy(manager(the_lab), folder.read(nowhere(small)))
    assert "mpigen build" in none.value.hint
    first = reference(build(small, "--no-distribute"))
    assert select.reference_to_deploy(local, read) == first
    source = small / "app/hello.cpp"
    text = source.read_text()
    source.write_text(f"{text}// changed by {small}\n")
    with pytest.raises(ClusterError, match="built:latest is out of date: sources or") as changed:
        select.reference_to_deploy(local, read)
    assert "mpigen build" in changed.value.hint
    second = reference(build(small, "--no-distribute"))
    assert select.reference_to_deploy(local, read) == second != first
    # back again, as on another branch: no need to build, wherever the user's tag is
    source.write_text(text)
    assert select.reference_to_deploy(local, read) == first
    # a clone has no private keys: what the user's tag names
    (small / "output/keys/id_ed25519").unlink()
    assert select.reference_to_deploy(local, read) == second


def nowhere(site: Path) -> Path:
    """The rendered folder of a site of another name, which nobody has built."""
    text = TEXT.replace("built", "built-nowhere")
    return make_site(site / "nowhere", text)


def test_an_interrupted_build_leaves_nothing(small: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    dockerfile = small / "output/Dockerfile"
    marker = f"sleep {os.getpid()}"
    dockerfile.write_text(f"{dockerfile.read_text()}RUN {marker}\n")
    command = [sys.executable, "-m", "mpigen", "build", "-o", str(small / "output")]
    with subprocess.Popen(
        [*command, "--no-distribute"],
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_for(lambda: marker in running(), 300)
        assert list(scratch.iterdir())
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 143
    assert not list(scratch.iterdir())
    wait_for(lambda: marker not in running())


def running() -> str:
    """The commands of all containers, also of those that have ended."""
    return check("docker", "ps", "--all", "--no-trunc", "--format", "{{.Command}}")


def test_an_interrupt_while_nodes_are_asked_leaves_no_service(
    small: Path, the_lab: lab.Lab, lab_env: dict[str, str]
) -> None:
    reference(build(small, "--lab", the_lab.name))
    command = [sys.executable, "-m", "mpigen", "build", "-o", str(small / "output")]
    services = ("docker", "service", "ls", "-q")
    with subprocess.Popen(
        [*command, "--lab", the_lab.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        wait_for(lambda: check(*services, env=lab_env))
        process.send_signal(signal.SIGINT)
    assert process.returncode != 0
    assert not check(*services, env=lab_env)


def test_buildkit_builds_it_too(site: Path, tmp_path: Path) -> None:
    (site / "mpigen.yaml").write_text(f"{TEXT}workers: [{{}}, {{name: more, packages: [bc]}}]\n")
    check(sys.executable, "-m", "mpigen", "render", "-c", site / "mpigen.yaml")
    client = Path("/usr/bin/docker")  # newer ones than Debian 12's need buildx for BuildKit
    version = call(client, "version", "--format", "{{.Client.Version}}").out
    if not version.startswith("20.10"):
        pytest.skip(f"the client that has BuildKit of its own is not here: {version or 'none'}")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").symlink_to(client)
    buildkit = {"DOCKER_BUILDKIT": "1", "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    (site / "app/new").write_text("content for BuildKit\n")
    first = build(site, "--no-distribute", **buildkit)
    assert "built: " in first.out and re.search(r"s  \[build \d/\d\] COPY app/ /src/", first.err)
    again = build(site, "--no-distribute", **buildkit)
    assert "unchanged: " in again.out and reference(again) == reference(first)
    of_group = f"{reference(first)}-more"
    more = check("docker", "run", "--rm", "--entrypoint", "bc", of_group, "--version")
    assert more.startswith("bc ")
    (site / "app/hello.cpp").write_text("int main() { return nothing; }\n")
    failed = build(site, "--no-distribute", TMPDIR=str(tmp_path), **buildkit)
    assert failed.code == 3 and "make: ***" in failed.err


def test_nodes_get_the_image_for_their_processor(
    two: Path, the_lab: lab.Lab, the_lab_dockers: list[dict[str, str]]
) -> None:
    render(two, f"{TEXT}{TWO}}}\n")
    done = build(two, "--lab", the_lab.name)
    assert done.code == 0, done.err
    found = re.findall(r"^built: built:latest is (\S+) for (\S+)$", done.out, re.M)
    assert [platform for _, platform in found] == ["linux/amd64", "linux/arm64"]
    (tag,) = {tag for tag, _ in found}
    assert "building for linux/arm64, which" in done.err
    # the engine that builds has both, and its own one without the processor
    for name, platform in ((tag, "amd64"), (f"{tag}.amd64", "amd64"), (f"{tag}.arm64", "arm64")):
        assert platform_of(name, {}) == f"linux/{platform}"
    for env in the_lab_dockers:
        assert {platform_of(name, env) for name in (tag, "built:latest")} == {"linux/amd64"}
        assert call("docker", "image", "inspect", f"{tag}.arm64", env=env).code != 0
    assert select.reference_to_deploy(manager(the_lab), folder.read(two / "output")) == tag
    again = build(two, "--lab", the_lab.name)
    assert again.out.count("unchanged: ") == 2 and f"node-2 has {tag}.amd64 already" in again.err


def test_an_image_that_no_node_can_run_is_refused(two: Path, the_lab: lab.Lab) -> None:
    only = TWO.replace("linux/amd64, ", "")
    render(two, f"{TEXT}{only}}}\n")
    # this image has no program at all, as one for another processor has none that can run
    done = build(two, "--lab", the_lab.name)
    assert done.code == 3, done.out
    why = "its processor is x86_64, and the image is for linux/arm64: "
    assert [line for line in done.err.splitlines() if line.startswith(f"  node-2: {why}")], done.err


def trusts(env: dict[str, str], address: str) -> bool:
    return address in check("docker", "info", env=env)


@pytest.fixture(scope="module")
def registry(
    the_lab: lab.Lab,
    the_lab_dockers: list[dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Debian's registry on the first node: it wants a password, and nodes are told of no TLS."""
    folder = tmp_path_factory.mktemp("registry")
    base.ensure(engine.local(), "debian:trixie-slim", print)
    (folder / "Dockerfile").write_text(
        "FROM debian:trixie-slim\n"
        "RUN apt-get update && apt-get install -y --no-install-recommends docker-registry\n"
        # bcrypt, as the registry wants it, of the C library
        'RUN perl -e \'print "me:", crypt("secret", q($2y$05$abcdefghijklmnopqrstuu)), "\\\\n"\''
        " >/etc/docker/registry/htpasswd\n"
        'CMD ["docker-registry", "serve", "/etc/docker/registry/config.yml"]\n'
    )
    check("docker", "build", "--tag", "mpigen-test-registry", folder, timeout=600)
    lab.load(the_lab, "mpigen-test-registry", print)
    first = the_lab_dockers[0]
    started = check("docker", "run", "-d", "-p", "5000:5000", "mpigen-test-registry", env=first)
    address = f"{the_lab.nodes[0].address}:5000"
    trust = json.dumps({"insecure-registries": [address]})
    for node, env in zip(the_lab.nodes, the_lab_dockers, strict=True):
        script = f"mkdir -p /etc/docker; echo '{trust}' >/etc/docker/daemon.json; kill -HUP $0"
        pid = check("docker", "exec", node.container, "cat", "/run/docker.pid").strip()
        check("docker", "exec", node.container, "sh", "-c", script, pid)
        wait_for(partial(trusts, env, address))
    try:
        wait_for(lambda: call("docker", "exec", started.strip(), "true", env=first).code == 0)
        yield address
    finally:
        check("docker", "rm", "--force", "--volumes", started.strip(), env=first)
        check("docker", "rmi", "mpigen-test-registry")


def test_a_registry_gets_it_and_nodes_pull_it_by_digest(
    small: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    the_lab: lab.Lab,
    the_lab_dockers: list[dict[str, str]],
    registry: str,
) -> None:
    lab.load(the_lab, "debian:trixie-slim", print)
    name = f"{registry}/team/built"
    render(small, f"{TEXT}image: {{tag: '{name}:v1', distribute: registry}}\n")
    refused = build(small, **the_lab_dockers[0])
    assert refused.code == 3 and f"docker login {registry}" in refused.err
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    login = ("docker", "login", "--username", "me", "--password", "secret", registry)
    check(*login, env=the_lab_dockers[0])
    read, swarm = folder.read(small / "output"), manager(the_lab)
    with pytest.raises(ClusterError, match="asking the registry") as none:
        select.reference_to_deploy(swarm, read)
    assert "mpigen build" in none.value.hint
    done = build(small, **the_lab_dockers[0])
    assert done.code == 0, done.err
    pushed = re.search(rf"^pushed: ({re.escape(name)}@sha256:\w{{64}})$", done.out, re.M)
    assert pushed, done.out
    request = Request(f"http://{registry}/v2/team/built/tags/list")
    request.add_header("Authorization", f"Basic {b64encode(b'me:secret').decode()}")
    with urlopen(request) as answer:
        tags = json.load(answer)["tags"]
    assert sorted(tag[:4] for tag in tags) == ["sha-", "v1"]
    assert select.reference_to_deploy(swarm, read) == pushed[1]
    # nodes that have never seen it pull it when they are asked
    assert call("docker", "image", "inspect", pushed[1], env=the_lab_dockers[2]).code != 0
    assert startable.lacking(swarm, pushed[1], ["node.hostname==node-3"]) == {}
    check("docker", "image", "inspect", pushed[1], env=the_lab_dockers[2])
    assert call("docker", "image", "inspect", pushed[1], env=the_lab_dockers[1]).code != 0
    # a manager that has built nothing asks the registry, and looks at what it gets
    for tag in (*(f"{name}:{tag}" for tag in tags), pushed[1]):
        call("docker", "rmi", "--force", tag, env=the_lab_dockers[0])
    assert select.reference_to_deploy(swarm, read) == pushed[1]
    (small / "app/new").write_text("not built\n")
    with pytest.raises(ClusterError, match=r"v1 of the registry is out of date: sources or"):
        select.reference_to_deploy(swarm, read)
    gone = f"{name}@sha256:{'0' * 64}"
    assert sorted(startable.lacking(swarm, gone)) == ["node-1", "node-2", "node-3"]


def test_images_for_two_processors_have_one_name_in_a_registry(
    two: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    the_lab: lab.Lab,
    the_lab_dockers: list[dict[str, str]],
    registry: str,
) -> None:
    name = f"{registry}/team/two"
    render(two, f"{TEXT}{TWO}, tag: '{name}:v1', distribute: registry}}\n")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    login = ("docker", "login", "--username", "me", "--password", "secret", registry)
    check(*login, env=the_lab_dockers[0])
    done = build(two, **the_lab_dockers[0])
    assert done.code == 0, done.err
    pushed = re.search(rf"^pushed: ({re.escape(name)}@sha256:\w{{64}})$", done.out, re.M)
    assert pushed, done.out
    read, swarm = folder.read(two / "output"), manager(the_lab)
    data = swarm.client.images.get_registry_data(pushed[1])
    assert {each["architecture"] for each in data.attrs["Platforms"]} == {"amd64", "arm64"}
    assert swarm.client.images.get_registry_data(f"{name}:v1").id == data.id
    assert select.reference_to_deploy(swarm, read) == pushed[1]
    # each node pulls its own, and the other one where it is asked to
    assert startable.lacking(swarm, pushed[1], ["node.hostname==node-3"]) == {}
    assert platform_of(pushed[1], the_lab_dockers[2]) == "linux/amd64"
    # a base image for another processor is pulled beside the engine's own
    platforms.pull_beside(swarm.client, f"{name}:v1", "linux/arm64", f"{name}:v1.other")
    assert platform_of(f"{name}:v1.other", the_lab_dockers[0]) == "linux/arm64"
    assert platform_of(f"{name}:v1", the_lab_dockers[0]) == "linux/amd64"
    # and without it, its name is not left behind
    check("docker", "rmi", f"{name}:v1", env=the_lab_dockers[0])
    platforms.pull_beside(swarm.client, f"{name}:v1", "linux/arm64", f"{name}:v1.third")
    assert platform_of(f"{name}:v1.third", the_lab_dockers[0]) == "linux/arm64"
    gone = call("docker", "image", "inspect", f"{name}:v1", env=the_lab_dockers[0])
    assert gone.code != 0


def test_a_groups_own_image_is_pushed_and_named_by_a_digest_of_its_own(
    small: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    the_lab: lab.Lab,
    the_lab_dockers: list[dict[str, str]],
    registry: str,
) -> None:
    lab.load(the_lab, "debian:trixie-slim", print)
    name = f"{registry}/team/more"
    workers = "workers: [{name: worker}, {name: more, packages: [bc]}]"
    with (small / "output/Dockerfile").open("a") as file:
        file.write("FROM first AS runtime\nUSER 1000:1000\n")
        file.write("FROM runtime AS group-more\nCOPY app/Makefile /more\nLABEL mpigen.group=more\n")
    render(small, f"{TEXT}image: {{tag: '{name}:v1', distribute: registry}}\n{workers}\n")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    login = ("docker", "login", "--username", "me", "--password", "secret", registry)
    check(*login, env=the_lab_dockers[0])
    read, swarm = folder.read(small / "output"), manager(the_lab)
    done = build(small, **the_lab_dockers[0])
    assert done.code == 0, done.err
    own, more = re.findall(r"^pushed: (\S+@sha256:\w{64})$", done.out, re.M)
    assert own != more
    assert select.references_to_deploy(swarm, read, None) == {"": own, "more": more}
    # a manager that has built nothing asks the registry for each
    tags = re.findall(r"^built: (\S+) is (\S+)$", done.out, re.M)
    for each in (*tags[0], *tags[1], own, more):
        check("docker", "rmi", "--force", each, env=the_lab_dockers[0])
    assert select.references_to_deploy(swarm, read, None) == {"": own, "more": more}
    given = {"": f"{name}:v2", "more": f"{name}:v2-more"}
    assert select.references_to_deploy(swarm, read, f"{name}:v2") == given
    with pytest.raises(InputError, match="names one image by its digest"):
        select.references_to_deploy(swarm, read, own)


def test_a_build_that_fails_says_where(site: Path) -> None:
    (site / "app/hello.cpp").write_text("int main() { return nothing; }\n")
    done = build(site, "--no-distribute")
    assert done.code == 3
    assert "error: build.sh ended with" in done.err
    assert "nothing" in done.err and "make: ***" in done.err
    log = re.search(r"^Its full output is in (\S+)$", done.err, re.M)
    assert log, done.err
    assert "Get:1 http" in Path(log[1]).read_text() or "Using cache" in Path(log[1]).read_text()
    Path(log[1]).unlink()


def test_a_command_that_fails_leaves_no_container_and_is_no_wrong_input(
    small: Path, tmp_path: Path
) -> None:
    marker = f"build.sh: of {os.getpid()}"
    with (small / "output/Dockerfile").open("a") as file:
        file.write(f"RUN echo {marker}; exit 2\n")
    done = build(small, "--no-distribute", TMPDIR=str(tmp_path))
    assert done.code == 3 and marker in done.err
    assert marker not in running()


def test_a_build_without_private_keys_says_what_brings_them(site: Path) -> None:
    (site / "output/keys/id_ed25519").unlink()
    done = build(site, "--no-distribute")
    assert done.code == 2
    assert "mpigen keys import" in done.err


@pytest.mark.parametrize("ids", ["1000:1000", "4321:1000", "1000:4321", "4321:4322"])
def test_a_base_that_has_the_user_or_the_group_already(ids: str, tmp_path: Path) -> None:
    base.ensure(engine.local(), "debian:trixie-slim", print)
    uid, gid = ids.split(":")
    output = make_site(tmp_path, f"name: x\nuser: {{uid: {uid}, gid: {gid}}}\n", program=False)
    (made,) = re.findall(
        r"^RUN (for each in .*?[^\\])$", (output / "Dockerfile").read_text(), re.M | re.S
    )
    # as Ubuntu 24.04 is
    script = f"useradd -u 1000 -U -m ubuntu && {made}\nid -u mpi; id -g mpi; stat -c %u:%g /run/mpi"
    said = check("docker", "run", "--rm", "debian:trixie-slim", "sh", "-euc", script)
    assert said.split() == [uid, gid, ids]


def test_a_mirror_and_a_proxy_serve_both_stages_and_are_in_no_layer(tmp_path: Path) -> None:
    base.ensure(engine.local(), "debian:trixie-slim", print)
    with mirror.serve() as (port, seen):
        image = f"image: {{tag: 'mirrored:x', apt_mirror: 'http://127.0.0.1:{port}{mirror.PATH}'}}"
        output = make_site(tmp_path, f"name: mirrored\napp: {{source: app}}\n{image}\n")
        proxy = f"http_proxy=http://someone:hush-hush@127.0.0.1:{port}"
        words = ("--network", "host", "--no-cache", "--build-arg", proxy)
        check("sh", output / "scripts/build.sh", *words, timeout=900)
    # of the build stage, and of the one that is kept; all by way of the proxy
    for package in ("libopenmpi-dev", "openssh-server"):
        assert any(
            f"{mirror.PATH}/debian/pool" in path and f"/{package}_" in path for path, _ in seen
        )
    assert all(path.startswith(f"http://127.0.0.1:{port}{mirror.PATH}/") for path, _ in seen)
    assert all(word == f"Basic {b64encode(b'someone:hush-hush').decode()}" for _, word in seen)
    history = check("docker", "history", "--no-trunc", "mirrored:x")
    said = history + check("docker", "inspect", "mirrored:x")
    assert "hush" not in said and "proxy" not in said.lower()
    # of the mirror, what the one command says
    assert {line.count(mirror.PATH) for line in history.splitlines()} == {0, 1}
    assert history.count(mirror.PATH) == 1
    saved = tmp_path / "image.tar"
    check("docker", "save", "-o", saved, "mirrored:x")
    with tarfile.open(saved) as tar:
        layers = [name for name in tar.getnames() if name.endswith("layer.tar")]
        layers = layers or [name for name in tar.getnames() if name.startswith("blobs/")]
        data = {name: file.read() for name in layers if (file := tar.extractfile(name))}
    assert sum(map(len, data.values())) > 100_000_000
    with_it = [name for name, blob in data.items() if mirror.PATH.encode() in blob]
    # an archive of OCI's form has the history among its blobs
    assert all(data[name].startswith(b"{") for name in with_it)
    assert not any(b"hush-hush" in blob for blob in data.values())
    check("docker", "rmi", "mirrored:x")
