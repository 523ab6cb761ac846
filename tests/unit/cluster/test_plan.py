"""Capacity at its edges, and what is derived from mpigen.yaml."""

from pathlib import Path

import pytest

from mpigen.errors import InputError
from tests import sites

MIB = 1024**2


def fits(folder: Path, text: str) -> bool:
    try:
        sites.config(folder, f"name: x\n{text}")
    except InputError as error:
        assert "addresses, but" in error.message
        return False
    return True


@pytest.mark.parametrize(
    ("prefix", "tasks"),
    # 2**(32 - prefix) - 2 addresses; the gateway and a job take one each, a task and its node two
    [(29, 2), (28, 6), (27, 14), (24, 126), (16, 32766)],
)
def test_a_subnet_holds_its_tasks_nodes_gateway_and_job_and_no_more(
    tmp_path: Path, prefix: int, tasks: int
) -> None:
    network = f"network: {{subnet: 10.0.0.0/{prefix}}}"
    assert fits(tmp_path, f"{network}\nworkers: [replicas: {tasks}]")
    assert not fits(tmp_path, f"{network}\nworkers: [replicas: {tasks + 1}]")


def test_fewer_servers_leave_room_for_more_tasks(tmp_path: Path) -> None:
    network = "network: {subnet: 10.0.0.0/28, nodes: 2}"  # 14 = 10 tasks + 2 nodes + 2
    assert fits(tmp_path, f"{network}\nworkers: [{{name: a, replicas: 4}}, {{replicas: 6}}]")
    assert not fits(tmp_path, f"{network}\nworkers: [{{name: a, replicas: 4}}, {{replicas: 7}}]")


@pytest.mark.parametrize("replicas", [3, 6, 7, 126, 127, 1000, 30000])
def test_the_subnet_that_is_advised_is_the_smallest_that_fits(
    tmp_path: Path, replicas: int
) -> None:
    workers = f"workers: [replicas: {replicas}]"
    with pytest.raises(InputError) as caught:
        sites.config(tmp_path, f"name: x\nnetwork: {{subnet: 10.0.0.0/29}}\n{workers}")
    advised = int(caught.value.message.partition("use a subnet of /")[2].partition(",")[0])
    assert fits(tmp_path, f"network: {{subnet: 10.0.0.0/{advised}}}\n{workers}")
    assert not fits(tmp_path, f"network: {{subnet: 10.0.0.0/{advised + 1}}}\n{workers}")


def test_what_no_subnet_holds_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no overlay is that large"):
        groups = "".join(f"- {{name: w{number}, replicas: 100000}}\n" for number in range(84))
        sites.config(tmp_path, f"name: x\nworkers:\n{groups}")


@pytest.mark.parametrize(
    ("group", "slots"),
    [
        ("replicas: 1", 1),
        ("cpus: 4", 4),
        ("cpus: 2.9", 2),
        ("cpus: 0.5", 1),
        ("{cpus: 4, slots: 2}", 2),
        ("{cpus: 4, slots: auto}", 4),
        ("{cpus: 4, threads: 2, slots: auto}", 2),
        ("{slots: auto}", 1),
        ("{cpus: 0.5, slots: 8}", 8),
    ],
)
def test_slots_are_the_whole_cpus_unless_said(tmp_path: Path, group: str, slots: int) -> None:
    assert sites.cluster(tmp_path, f"name: x\nworkers: [{group}]").groups[0].slots == slots


@pytest.mark.parametrize(
    ("group", "shm"),
    [
        ("replicas: 1", 512 * MIB),
        ("memory: 4g", 512 * MIB),
        ("memory: 1g", 512 * MIB),
        ("memory: 600m", 300 * MIB),
        ("memory: 6m", 3 * MIB),
        ("{memory: 1g, shm: 1g}", 1024 * MIB),
        ("shm: 64m", 64 * MIB),
        ("slots: 32", 512 * MIB),
        ("slots: 128", 2048 * MIB),
        ("{slots: 128, memory: 64g}", 2048 * MIB),
        ("{slots: 128, memory: 2g}", 1024 * MIB),
        ("{slots: 128, shm: 1g}", 1024 * MIB),
    ],
)
def test_shm_is_512m_or_16m_a_rank_and_half_the_memory_at_most_unless_said(
    tmp_path: Path, group: str, shm: int
) -> None:
    assert sites.cluster(tmp_path, f"name: x\nworkers: [{group}]").groups[0].shm == shm


def test_slots_and_replicas_are_summed_over_groups(tmp_path: Path) -> None:
    text = "name: x\nworkers: [{name: a, replicas: 3, slots: 2}, {name: b, replicas: 2, slots: 5}]"
    cluster = sites.cluster(tmp_path, text)
    assert (cluster.replicas, cluster.slots) == (5, 16)


def test_packages_are_sorted_and_each_is_there_once(tmp_path: Path) -> None:
    text = "name: x\nimage: {packages: [gdb, openssh-server, gdb], build_packages: [make, cmake]}"
    text = text.replace("image: {", "image: {bench: true, ")
    cluster = sites.cluster(tmp_path, text)
    for packages in (cluster.runtime_packages, cluster.build_packages):
        assert list(packages) == sorted(set(packages))
    assert "gdb" in cluster.runtime_packages
    assert "gdb" not in cluster.build_packages


@pytest.mark.parametrize(
    ("workers", "bound"),
    [
        ("[max_per_node: 1]", True),
        ("[max_per_node: 2]", False),
        ("[replicas: 2]", False),
        ("[{name: a, max_per_node: 1}, {max_per_node: 1}]", False),
    ],
)
def test_ranks_are_bound_to_cores_only_where_a_node_has_one_container(
    tmp_path: Path, workers: str, bound: bool
) -> None:
    params = sites.cluster(tmp_path, f"name: x\nworkers: {workers}").params
    said = {name for file in params.values() for name in file if "binding_policy" in name}
    assert bool(said) is not bound


def test_the_users_parameters_go_over_ours(tmp_path: Path) -> None:
    params = sites.cluster(tmp_path, "name: x\nmpi: {params: {pml: ucx, mine: 1}}").params
    for file in params.values():
        assert (file["pml"], file["mine"]) == ("ucx", "1")


def test_our_mpirun_comes_first_on_the_path_and_the_programs_folder_next(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    with_app = sites.cluster(tmp_path, "name: x\napp: {source: src, bin: /opt/b}")
    ours = "/usr/local/libexec/mpi"
    assert with_app.path == f"{ours}:/opt/b"
    assert sites.cluster(tmp_path, "name: x").path == ours
