"""What an image's tag depends on, and what a build's output says."""

import os
from pathlib import Path

import pytest

from mpigen import artifacts
from mpigen.swarm import content
from mpigen.swarm.buildlog import BuildLog
from tests.conftest import Mpigen


@pytest.fixture
def site(tmp_path: Path, mpigen: Mpigen) -> Path:
    """A rendered site with a program, and its private keys."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/hello.c").write_text("int main(void) { return 0; }\n")
    (tmp_path / "mpigen.yaml").write_text("name: x\napp: {source: app}\n")
    assert mpigen("render", "-c", tmp_path / "mpigen.yaml").code == 0
    return tmp_path


def context(site: Path) -> str | None:
    return content.of_context(artifacts.read(site / "output"), site)


def test_the_context_is_the_same_whenever_and_by_whomever_it_is_written(site: Path) -> None:
    before = context(site)
    os.utime(site / "app/hello.c", (0, 0))
    (site / "app/hello.c").chmod(0o600)
    (site / "output/README.md").write_text("no part of the image\n")
    assert context(site) == before is not None


@pytest.mark.parametrize(
    "path",
    [
        "app/hello.c",
        "output/Dockerfile",
        "output/.dockerignore",
        "output/rootfs/usr/local/bin/mpirun",
        "output/keys/id_ed25519",
        "output/keys/ssh_host_ed25519_key",
    ],
)
def test_the_context_changes_with_each_file_of_it(site: Path, path: str) -> None:
    before = context(site)
    with (site / path).open("a") as file:
        file.write("# more\n")
    assert context(site) not in (before, None)


def test_the_context_changes_with_names_and_executable_bits(site: Path) -> None:
    seen = {context(site)}
    (site / "app/hello.c").rename(site / "app/main.c")
    seen.add(context(site))
    (site / "app/main.c").chmod(0o755)
    seen.add(context(site))
    (site / "app/link").symlink_to("main.c")
    seen.add(context(site))
    assert len(seen) == 4 and None not in seen


@pytest.mark.parametrize("missing", ["app/hello.c", "output/keys/id_ed25519"])
def test_the_context_is_unknown_where_a_part_is_not_here(site: Path, missing: str) -> None:
    (site / missing).unlink()
    if missing.startswith("app/"):
        (site / "app").rmdir()
    assert context(site) is None


def test_private_keys_that_come_as_secrets_are_no_part_of_it(site: Path, mpigen: Mpigen) -> None:
    text = (site / "mpigen.yaml").read_text() + "ssh: {delivery: secret}\n"
    (site / "mpigen.yaml").write_text(text)
    assert mpigen("render", "-c", site / "mpigen.yaml").code == 0
    before = context(site)
    (site / "output/keys/id_ed25519").unlink()
    assert context(site) == before is not None


def test_the_tag_depends_on_context_and_bases() -> None:
    tags = {content.tag(*of) for of in (("a", ["b"]), ("a", ["c"]), ("b", ["b"]))}
    assert len(tags) == 3
    assert all(tag.startswith("sha-") and len(tag) == 16 for tag in tags)
    assert content.tag("a", ["b"]) in tags


def test_the_bases_of_a_dockerfile_are_no_stages_of_its_own() -> None:
    dockerfile = "FROM --platform=linux/amd64 b:1 AS build\nRUN x\nfrom a:2\nFROM build\n"
    assert content.bases(dockerfile) == ["a:2", "b:1"]


@pytest.mark.parametrize(
    ("image", "tagged"),
    [
        ("a", "a:t"),
        ("a:1", "a:t"),
        ("host:5000/a/b", "host:5000/a/b:t"),
        ("host:5000/a/b:v1", "host:5000/a/b:t"),
        ("a@sha256:0", "a:t"),
    ],
)
def test_another_tag_of_an_image(image: str, tagged: str) -> None:
    assert content.with_tag(image, "t") == tagged


def test_the_steps_of_both_builders() -> None:
    log = BuildLog()
    lines = [
        "Sending build context to Docker daemon  64.5kB",
        "Step 1/3 : FROM debian:trixie-slim AS build",
        " ---> 92112e537e84",
        "#5 [build 2/6] RUN apt-get update   && apt-get install -y " + "x" * 80,
        "#5 0.312 Get:1 http://deb.debian.org",
        "#5 [build 2/6] RUN apt-get update",
        "#5 DONE 3.2s",
    ]
    steps = [step for line in lines if (step := log.take(line))]
    assert steps[0] == "[1/3] FROM debian:trixie-slim AS build"
    assert steps[1].startswith("[build 2/6] RUN apt-get update && apt-get install -y xx")
    assert len(steps) == 2 and len(steps[1]) == 70
    assert log.lines == lines
