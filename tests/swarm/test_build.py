"""`mpigen build` on real engines: by content, to each node that lacks it, or saying who does."""

import re
import sys
from pathlib import Path

import pytest

from mpigen.lab import base, engine, lab
from tests.swarm.conftest import Done, call, check, make_site

TEXT = "name: built\napp: {source: app}\nnetwork: {subnet: 10.81.0.0/24}\n"


def build(site: Path, *words: str, **env: str) -> Done:
    command = [sys.executable, "-m", "mpigen", "build", "-o", site / "output", *words]
    return call(*command, env=env, timeout=600)


def reference(done: Done) -> str:
    """The tag by content that a build says."""
    assert done.code == 0, done.out + done.err
    found = re.search(r"^(?:built|unchanged): built:latest is (built:sha-\w{12})$", done.out, re.M)
    assert found, done.out
    return found[1]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    base.ensure(engine.local(), "debian:trixie-slim", print)
    make_site(tmp_path, TEXT)
    return tmp_path


def test_an_unchanged_input_is_not_built_again_and_a_changed_one_is(site: Path) -> None:
    first = build(site, "--no-distribute")
    assert "[1/19] FROM debian:trixie-slim AS build" in first.err and "built: " in first.out
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
    site: Path, the_lab: lab.Lab, the_lab_dockers: list[dict[str, str]]
) -> None:
    tag = reference(build(site, "--lab", the_lab.name))
    check("docker", "rmi", "--force", tag, "built:latest", env=the_lab_dockers[2])
    done = build(site, "--lab", the_lab.name)
    assert reference(done) == tag
    assert "node-1 has " + tag + " already" in done.err
    assert re.search(rf"node-3 has {tag} \(\d", done.err)
    for env in the_lab_dockers:
        for name in (tag, "built:latest"):
            check("docker", "image", "inspect", name, env=env)
    lab.load(the_lab, "debian:trixie-slim", print)  # the tag depends on the base's id
    # the same Swarm, and nothing that says where its nodes' engines are: what is built there stays
    check("docker", "rmi", "--force", tag, "built:latest", env=the_lab_dockers[1])
    alone = build(site, **the_lab_dockers[0])
    assert alone.code == 3, alone.out
    assert re.search(rf"cannot start {tag}:\n  node-2: .*[Nn]o such image", alone.err), alone.err
    assert "node-3" not in alone.err
    assert "image.endpoints" in alone.err
    left = check("docker", "service", "ls", "--format", "{{.Name}}", env=the_lab_dockers[0])
    assert "probe" not in left


def test_endpoints_of_the_sites_file_are_used(
    site: Path, the_lab: lab.Lab, the_lab_dockers: list[dict[str, str]]
) -> None:
    endpoints = ", ".join(f"{node.name}: '{node.docker_host}'" for node in the_lab.nodes)
    (site / "mpigen.yaml").write_text(TEXT + f"image: {{endpoints: {{{endpoints}}}}}\n")
    check(sys.executable, "-m", "mpigen", "render", "-c", site / "mpigen.yaml")
    tag = reference(build(site))
    for env in the_lab_dockers:
        check("docker", "image", "inspect", tag, env=env)


def test_a_build_that_fails_says_where(site: Path) -> None:
    (site / "app/hello.cpp").write_text("int main() { return nothing; }\n")
    done = build(site, "--no-distribute")
    assert done.code == 3
    assert "error: build.sh ended with" in done.err
    assert "nothing" in done.err and "make: ***" in done.err


def test_a_build_without_private_keys_says_what_brings_them(site: Path) -> None:
    (site / "output/keys/id_ed25519").unlink()
    done = build(site, "--no-distribute")
    assert done.code == 2
    assert "mpigen keys import" in done.err
