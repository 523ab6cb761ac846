"""Fields of mpigen.yaml that contradict each other, or say what cannot be built or placed."""

from pathlib import Path

import pytest

from tests import sites

DIGEST = "@sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("workers: [constraints: [node.role==manager, node.role==worker]]",
         "workers[0].constraints[1]", "no node meets both this and node.role==manager"),
        ("workers: [constraints: [node.labels.a!=B, node.labels.a==b]]",
         "workers[0].constraints[1]", "no node meets both"),
        ("workers: [constraints: [node.role==master]]",
         "workers[0].constraints[0]", "write manager or worker"),
        ("launcher: {constraints: [node.platform.os==windows]}",
         "launcher.constraints[0]", "write linux"),
        ("workers: [constraints: [node.platform.arch==arm64]]",
         "workers[0].constraints[0]", "name of a processor: write aarch64"),
        ("workers: [constraints: [node.platform.arch!=amd64]]",
         "workers[0].constraints[0]", "name of a processor: write x86_64"),
        ("image: {platforms: [linux/amd64, linux/arm64]}\n"
         "mpi: {implementation: intel, version: 2021.16.0}",
         "image.platforms[1]", "intel MPI exists for linux/amd64 alone"),
        ("image: {platforms: [linux/arm64, linux/arm64]}",
         "image.platforms[1]", "linux/arm64 is listed twice"),
        ("image: {platforms: [linux/amd64, linux/arm64], tag: 'x:" + "1" * 125 + "'}",
         "image.platforms[0]", "which is too long"),
        ("workers: [{replicas: 3, max_per_node: 1, constraints: [node.hostname==a]}]",
         "workers[0].replicas", "on the one node that the constraints allow"),
        ("network: {nodes: 2}\nworkers: [{mode: global, replicas: 8}]",
         "workers[0].replicas", "more than network.nodes 2 allow"),
        ("launcher: {name: worker-1}", "launcher.name", "a host of workers[0]"),
        ("workers: [{name: a, replicas: 9}, {name: a-9}]", "workers[1].name", "of workers[0]"),
        ("network: {external: true, name: host}", "network.name", "host is one of Docker's own"),
        ("network: {subnet: 240.0.0.0/8}", "network.subnet", "is reserved"),
        ("network: {subnet: 0.0.0.0/8}", "network.subnet", "is reserved"),
        ("storage: [{target: /d, type: tmpfs, read_only: true}]",
         "storage[0].read_only", "a tmpfs, which is empty at first"),
        ("storage: [{target: /d, type: tmpfs, size: 4g}]\nworkers: [memory: 1g]",
         "storage[0].size", "4g of a tmpfs count against the memory limit of 1g"),
        ("storage: [{target: /d, type: nfs, server: h, source: /e, options: 'hard,ro'}]",
         "storage[0].options", "contradicts read_only: false"),
        ("storage: [{target: /lib64, source: d}]", "storage[0].target", "belongs to the image"),
        ("image: {tag: 'a:1" + DIGEST + "'}", "image.tag", "which is not known"),
        ("image: {base: 'docker.io/library/x'}", "image.base", "is built from this base"),
        ("image: {base: 'archlinux:latest'}", "image.base", "has no package manager"),
        ("image: {base: 'rockylinux:9', apt_mirror: 'http://m'}", "image.apt_mirror", "not dnf"),
        ("image: {base: 'alpine:3.20'}\nmpi: {version: 5.0.10}", "mpi.version", "needs glibc"),
        ("mpi: {implementation: intel}", "mpi.implementation", "set mpi.version"),
        ("image: {distribute: registry}", "image.distribute", "needs a registry"),
        ("image: {endpoints: {a: 'ssh://h', b: 'ssh://h'}}", "image.endpoints.b", "a also has ssh://h"),
        ("image: {endpoints: {a: 'ssh://h:99999'}}", "image.endpoints.a", "is not a port"),
        ("image: {packages: [gdb=1, gdb=2]}", "image.packages[1]", "gdb is also requested as 1"),
        ("image: {packages: [gdb=1]}\nworkers: [packages: [gdb=2]]",
         "workers[0].packages[0]", "gdb is also requested as 1"),
        ("image: {packages: [vim-]}", "image.packages[0]", "is not a package"),
        ("image: {packages: [PyYAML]}", "image.packages[0]", "PyYAML is not a package for apt"),
        (
            "image: {base: 'fedora:43', packages: [PyYAML, vim=9]}",
            "image.packages[1]",
            "vim=9 is not a package for dnf: write name or name-version",
        ),
        ("image: {build_packages: [gfortran]}", "image.build_packages", "without app"),
        ("image: {apt_mirror: 'http://m/debian'}", "image.apt_mirror", "write http://m"),
        ("image: {build_env: {BINDIR: /x}}\napp: {source: app}", "image.build_env.BINDIR", "bin"),
        ("image: {ca: key.pem}\napp: {source: app}", "image.ca", "contains a private key"),
        ("image: {ca: empty.pem}\napp: {source: app}", "image.ca", "contains no PEM certificate"),
        ("app: {source: output/keys}", "app.source", "output/ contains private keys"),
        ("app: {source: app, bin: /etc/mpi}", "app.bin", "/etc belongs to the image"),
        ("app: {source: app, python: [Num.Py==1, num-py==2]}", "app.python[1]",
         "also requested as 1"),
    ],
)  # fmt: skip
def test_what_contradicts_another_field_or_cannot_be_is_refused(
    tmp_path: Path, text: str, field: str, message: str
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----")
    (tmp_path / "empty.pem").touch()
    (line,) = sites.refusal(tmp_path, f"name: x\n{text}\n")
    assert line.split(": ")[1] == field
    assert message in line


@pytest.mark.parametrize(
    "text",
    [
        "workers: [constraints: [node.labels.a!=b, node.labels.a!=c, node.role == Manager]]",
        "workers: [{name: a, replicas: 2}, {name: a-3}]\nlauncher: {name: a-login}",
        "storage: [{target: /d, source: d}]",
        "storage: [{target: /d, type: nfs, server: h, source: /e, options: ro, read_only: true}]",
        "image: {distribute: registry, tag: team/solver:1, packages: [g++, gdb, gdb]}",
        "image: {base: 'x:1', tag: 'x:2'}",
    ],
)
def test_what_only_looks_like_a_contradiction_is_taken(tmp_path: Path, text: str) -> None:
    sites.config(tmp_path, f"name: x\n{text}\n")


def test_sources_without_a_makefile_need_commands(tmp_path: Path) -> None:
    text = "name: x\napp: {source: src}\n"
    (tmp_path / "src").mkdir()
    # a submodule that is not checked out
    assert sites.config(tmp_path, text).app
    (tmp_path / "src/main.rs").touch()
    said = "app.build: is not set, and app.source has no Makefile for its default, make install"
    assert sites.refusal(tmp_path, text) == [f"2:7: {said}"]
    for more in ("build: cargo build", "python: [numpy]"):
        assert sites.config(tmp_path, f"name: x\napp: {{source: src, {more}}}\n").app
    for name in ("Makefile", "makefile", "GNUmakefile"):
        (tmp_path / "src" / name).touch()
        assert sites.config(tmp_path, text).app
        (tmp_path / "src" / name).unlink()
