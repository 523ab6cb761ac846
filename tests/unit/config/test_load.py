"""mpigen.yaml -> Config: defaults, and values at the edge of what Docker and MPI take."""

from pathlib import Path

import pytest

from mpigen.config.load import load
from mpigen.errors import InputError
from tests import sites


def refusals(folder: Path, text: str) -> list[str]:
    """What is wrong with `text`: "LINE:COLUMN FIELD" of each problem."""
    with pytest.raises(InputError) as caught:
        sites.config(folder, text)
    lines = [line.removeprefix(f"{folder}/mpigen.yaml:") for line in str(caught.value).splitlines()]
    return [" ".join(line.split(": ")[:2]) for line in lines]


def test_a_name_alone_is_a_whole_cluster(tmp_path: Path) -> None:
    config = sites.config(tmp_path, "name: x\n")
    assert config.image.base == "debian:trixie-slim"
    assert config.app is None
    assert (config.user.name, config.user.uid, config.ssh.port) == ("mpi", 1000, 2222)
    assert (config.network.name, config.network.subnet) == ("mpi", None)
    (group,) = config.workers
    assert (group.name, group.replicas, group.slots, group.memory) == ("worker", 2, None, None)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "mpigen.yaml").write_bytes(b"\xef\xbb\xbfname: x\r\nssh:\r\n  port: 2223\r\n")
    config = load(tmp_path / "mpigen.yaml")
    assert (config.name, config.ssh.port) == ("x", 2223)
    assert refusals(tmp_path, "\ufeffname: X\n") == ["1:1 name"]


@pytest.mark.parametrize(
    ("memory", "size"),
    [
        ("6m", 6 * 1024**2),
        ("6291456", 6 * 1024**2),
        ("6291456b", 6 * 1024**2),
        ("512M", 512 * 1024**2),
        ("4 GiB", 4 * 1024**3),
        ("1.5gb", 1536 * 1024**2),
    ],
)
def test_memory_is_read_as_docker_reads_it(tmp_path: Path, memory: str, size: int) -> None:
    assert sites.config(tmp_path, f"name: x\nworkers: [memory: {memory}]").workers[0].memory == size


# a list item is a mapping of one key, in YAML's short form
@pytest.mark.parametrize(
    "group",
    [
        "memory: 6291455",
        "memory: 5.9m",
        "memory: 4Gi",
        "memory: 4 g b",
        "memory: -4g",
        "memory: .5g",
        "memory: '٤g'",
        "memory: 9e999",
        f"memory: {'9' * 400}g",
        "memory: true",
        "shm: 4095",
        "cpus: 0.009",
        "cpus: 1e3",
        "cpus: '2 '",
        "cpus: '٢'",
        "cpus: .inf",
        "cpus: true",
        "replicas: true",
        "replicas: 1.0",
        "slots: 2026-01-01",
        "max_per_node: 0",
        "name: a_b",
        "name: -a",
        "name: ''",
        "constraints: ['node.labels.x']",
        "constraints: ['node.labels.x==']",
        "constraints: ['labels.x==y']",
        'constraints: ["node.labels.x==y\\nz"]',
    ],
)
def test_what_docker_would_refuse_of_a_group_is_refused(tmp_path: Path, group: str) -> None:
    (refusal,) = refusals(tmp_path, f"name: x\nworkers:\n  - {group}\n")
    field = group.partition(":")[0]
    assert refusal.split()[1].startswith(f"workers[0].{field}")


@pytest.mark.parametrize("cpus", ["1", "0.01", "1.5", "0.333333333", "64"])
def test_cpus_are_the_text_that_was_written(tmp_path: Path, cpus: str) -> None:
    assert sites.config(tmp_path, f"name: x\nworkers: [cpus: {cpus}]").workers[0].cpus == cpus


@pytest.mark.parametrize(
    "constraint",
    [
        "node.labels.gpu==yes",
        "node.hostname != a.example.org",
        "node.role==worker",
        "node.platform.arch==x86_64",
        "engine.labels.os==ubuntu 24.04",
    ],
)
def test_constraints_of_swarm_are_taken(tmp_path: Path, constraint: str) -> None:
    text = f"name: x\nworkers: [constraints: ['{constraint}']]"
    assert sites.config(tmp_path, text).workers[0].constraints == [constraint]


@pytest.mark.parametrize(
    "image",
    ["debian", "debian:12-slim", "r.example.org:5000/team/a_b/c-d:V1", "a@sha256:" + "0" * 64],
)
def test_image_references_of_docker_are_taken(tmp_path: Path, image: str) -> None:
    assert sites.config(tmp_path, f"name: x\nimage: {{base: '{image}'}}").image.base == image


@pytest.mark.parametrize(
    ("subnet", "given"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.77.0.248/29", "10.77.0.248/29"),
        ("10.77.0.0/255.255.255.0", "10.77.0.0/24"),
    ],
)
def test_subnets_from_8_to_29_are_taken(tmp_path: Path, subnet: str, given: str) -> None:
    text = f"name: x\nnetwork: {{subnet: {subnet}, nodes: 1}}"
    assert str(sites.config(tmp_path, text).network.subnet) == given


@pytest.mark.parametrize(
    "subnet", ["10.77.0.0/30", "0.0.0.0/0", "224.0.0.0/24", "169.254.0.0/24", "10.77.0.0/x", "10"]
)
def test_what_makes_no_overlay_is_refused(tmp_path: Path, subnet: str) -> None:
    assert refusals(tmp_path, f"name: x\nnetwork:\n  subnet: {subnet}\n") == ["3:3 network.subnet"]


def test_every_problem_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    text = """\
name: X
ssh:
  port: 22
  prot: 2222
workers:
  - memory: 1g
    shm: 2g
  - memory: 1g
    memory: 2g
app:
  source: missing
"""
    assert refusals(tmp_path, text) == [
        "1:1 name",
        "3:3 ssh.port",
        "4:3 ssh.prot",
        "7:5 workers[0].shm",
        "8:5 workers[1].name",
        "9:5 workers[1].memory",
        "11:3 app.source",
    ]


def test_what_follows_from_a_wrong_value_is_not_told_again(tmp_path: Path) -> None:
    # 300 replicas would not fit, if the subnet were right: nobody knows
    text = "name: x\nnetwork: {subnet: 10.0.0.1/24}\nworkers: [replicas: 300]\n"
    assert refusals(tmp_path, text) == ["2:11 network.subnet"]


def test_a_file_that_is_not_there_is_an_error_that_says_the_least_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file") as caught:
        load(tmp_path / "mpigen.yaml")
    assert "name: mycluster" in caught.value.hint
    with pytest.raises(InputError, match="is not a regular file"):
        load(tmp_path)
