"""The names of a deployment's parts on the Swarm; no engine is asked."""

from pathlib import Path
from unittest.mock import Mock

import pytest

from mpigen.artifacts import folder
from mpigen.swarm.deployment import Deployment
from mpigen.swarm.state import ENDED, Task
from tests.conftest import Mpigen


@pytest.mark.parametrize(
    ("network", "name"), [("{}", "s_mpi"), ("{name: other, external: true}", "other")]
)
def test_a_stacks_name_is_part_of_all_names_but_an_external_networks(
    tmp_path: Path, mpigen: Mpigen, network: str, name: str
) -> None:
    (tmp_path / "mpigen.yaml").write_text(f"name: x\nnetwork: {network}\n")
    assert mpigen("render", "-c", tmp_path / "mpigen.yaml").code == 0
    deployment = Deployment(Mock(), folder.read(tmp_path / "output"), "s")
    assert deployment.network == name
    assert deployment.service("worker") == "s_worker"


@pytest.mark.parametrize(
    ("state", "ended"),
    [("running", False), ("pending", False), ("remove", False)]
    + [(state, True) for state in sorted(ENDED)],
)
def test_the_states_in_which_a_task_has_ended(state: str, ended: bool) -> None:
    assert Task("i", 1, "n", state, "running", "", "", None, "x").has_ended == ended
