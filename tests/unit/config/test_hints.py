"""Errors that know what the user meant, although no field has a similar name."""

from pathlib import Path

import pytest

from mpigen.errors import InputError
from tests import sites


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("workers: [{gpus: 2}]", "GPUs are generic resources: set generic: {GPU: 1} in workers"),
        ("image: {http_proxy: 'http://p:3128'}", "proxies are set in Docker's ~/.docker/config"),
        ("mpi.params: {a: 1}", "mpi.params: unknown key; write mpi: {params: ...}"),
        ("mpi.params.a.b: 1", "mpi.params.a.b: unknown key; write mpi: {params: {a.b: ...}}"),
        ("image: {image.tag: x}", "write image: {tag: ...}"),
        ("workers.slots: 4", "unknown key; write workers: [{slots: ...}]"),
        ("workers.stack.init: true", "unknown key; write workers: [{stack: {init: ...}}]"),
        ("ssh.prot: 3", "unknown key; known keys: name, image"),
        ("workers: [{ssh: {}}]", "it belongs to the top level: write ssh: without indentation"),
        ("network: {slots: 2}", "it belongs to workers: is it indented correctly, or is the line"),
        ("volumes: {}", "it is a key of Docker's stack files: put it under stack:"),
        ("workers: [{ulimits: {}}]", "it is a key of Docker's stack files: put it under stack:"),
        ("network: {ipam: {}}", "it is a key of Docker's stack files: put it under stack:"),
        ("stack: {ulimits: {}}", "a key of a service: put it under stack: in an item of workers"),
        ("stack: {ipam: {}}", "a key of a network: put it under stack: in network"),
        ("workers: [{stack: {replicas: 3}}]", "in a service: write deploy: {replicas: ...}"),
        (
            "stack: {replicas: 3}",
            "write deploy: {replicas: ...} under stack: in an item of workers",
        ),
        ("workers: [{stack: {services: {}}}]", "put it under stack: at the top level"),
        ("workers: [{stack: {deploy.labels: {}}}]", "this key; write deploy: {labels: ...}"),
        ("stack: {services: {x: {placement: {}}}}", "it is a key of deploy, in a service"),
        ("workers: [{stack: {cap_add: SYS_PTRACE}}]", "must be a list: write [SYS_PTRACE]"),
        ("image: {packages: gdb}", "not the text 'gdb': write [gdb]"),
        ("image: {packages: 'gdb, hwloc strace'}", "write [gdb, hwloc, strace]"),
        ("app: {source: ., python: '*x'}", "write ['*x']"),
        ("workers: [{constraints: node.role == manager}]", ": write [node.role == manager]"),
        ("storage: {target: /data}", "not a mapping: put a dash before its first key"),
        ("app: {source: ., build: [make, make install]}", "a list: join the commands with &&"),
        ("app: {source: ., check: [hello, a b]}", "not a list: write hello 'a b'"),
        ("image: {base: ['debian:12']}", "not a list: write debian:12"),
        ("image: {HTTPS_PROXY: 'http://p:3128'}", "proxies are set in Docker's ~/.docker/config"),
        (
            "image: {apt_mirror: 'https://mirror.example.org'}",
            "needs certificates, which a base image does not have before its first package: "
            "write http://, since apt verifies signatures",
        ),
    ],
)
def test_an_error_leads_to_the_right_place(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        sites.config(tmp_path, f"name: x\n{text}\n")
    assert said in error.value.message
    assert "did you mean" not in error.value.message


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ("#image:\n  # Debian or Ubuntu.\n  base: debian:12\n", "#image:"),
        ("#storage:\n  # Mount point.\n  - target: /data\n", "#storage:"),
        ("#storage:\n  #- target: /data\n    # Its type.\n    type: bind\n", "#storage:"),
        ("workers:\n  - name: w\n#launcher:\n\n  name: login\n", "#launcher:"),
    ],
)
def test_a_section_that_is_still_a_comment_is_named(
    text: str, section: str, tmp_path: Path
) -> None:
    (line,) = sites.refusal(tmp_path, f"name: x\n{text}")
    assert line.endswith(f"above it: is the line of its section ({section}) still a comment?")


def test_other_comments_above_a_line_are_not_taken_for_its_section(tmp_path: Path) -> None:
    for text in ("# a word\n  base: x\n", "#image:\nssh: {}\n  # a\n  base: x\n"):
        (line,) = sites.refusal(tmp_path, f"name: x\n{text}")
        assert "comment" not in line


def test_a_field_without_its_section_is_of_the_section_above_it(tmp_path: Path) -> None:
    (line,) = sites.refusal(tmp_path, "name: x\nimage:\n  base: a\n#ssh:\n  port: 2000\n")
    assert line.endswith("or is the line of its section (ssh:) a comment?")
