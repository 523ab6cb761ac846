"""What keeps containers off nodes, as the Swarm tells them; no engine is asked."""

from pathlib import Path
from typing import Any

import yaml

from mpigen.artifacts import folder
from mpigen.stack.preflight import misplaced, unplaced
from mpigen.swarm.nodes import Node, parse
from tests.conftest import Mpigen


def node(name: str, **labels: str) -> Node:
    entry: dict[str, Any] = {
        "ID": f"id-of-{name}",
        "Description": {"Hostname": name},
        "Spec": {"Role": "worker", "Availability": "active", "Labels": labels},
        "Status": {"State": "ready"},
    }
    return parse(entry)


NODES = [node("a", rack="1"), node("b", rack="1"), node("c", rack="2")]
RACK_1 = ["node.labels.rack == 1"]


def test_what_fits_is_no_problem() -> None:
    assert not list(misplaced("cpu", 3, 1, [], NODES))
    assert not list(misplaced("cpu", 4, 2, RACK_1, NODES))
    assert not list(misplaced("cpu", 99, None, RACK_1, NODES))


def test_only_nodes_that_meet_the_constraints_are_counted() -> None:
    (told,) = misplaced("cpu", 3, 1, RACK_1, NODES)
    assert told == "cpu: 3 containers are more than 1 per node on the 2 nodes that may run it"


def test_a_constraint_that_no_node_meets_is_told_once() -> None:
    (told,) = misplaced("cpu", 9, 1, ["node.labels.rack == 9"], NODES)
    assert "none of the 3 nodes" in told
    assert "node.labels.rack == 9" in told


def test_a_swarm_without_nodes_that_take_tasks_is_told() -> None:
    assert list(misplaced("cpu", 1, None, [], [])) == [
        "cpu: no node is ready and active: see docker node ls"
    ]


def test_each_service_is_told_of_once_also_one_that_is_everywhere(
    tmp_path: Path, mpigen: Mpigen
) -> None:
    everywhere = 'constraints: ["node.labels.rack==9"], mode: global, replicas: 4'
    too_many = "replicas: 4, max_per_node: 1"
    text = f"name: x\nworkers: [{{name: all, {everywhere}}}, {{name: some, {too_many}}}]\n"
    (tmp_path / "mpigen.yaml").write_text(text)
    assert mpigen("render", "-c", tmp_path / "mpigen.yaml").code == 0
    made = folder.read(tmp_path / "output")
    stack = yaml.safe_load(made.stack_file.read_text())
    told = [line.partition(":")[0] for line in unplaced(NODES, made, stack)]
    assert told == ["all", "some"]
    stack["services"]["all"]["deploy"].pop("placement")
    first, _ = unplaced(NODES, made, stack)
    assert first == "all: 4 containers are more than 1 per node on the 3 nodes that may run it"
