"""The placement constraints of rendered services."""

from pathlib import Path

import pytest

from mpigen.artifacts import folder
from mpigen.swarm import placement
from tests.conftest import Mpigen


@pytest.fixture
def site(site_with_program: Path) -> Path:
    return site_with_program


def test_what_the_groups_ask_of_their_nodes(site: Path, mpigen: Mpigen) -> None:
    assert placement.constraint_sets(folder.read(site / "output")) == [()]
    workers = (
        "workers: [{name: a, constraints: [node.role==worker]}, {name: b}, "
        "{name: c, constraints: [node.role==worker]}]\n"
    )
    (site / "mpigen.yaml").write_text((site / "mpigen.yaml").read_text() + workers)
    assert mpigen("render", "-c", site / "mpigen.yaml").code == 0
    asked = placement.constraint_sets(folder.read(site / "output"))
    assert asked == [("node.role==worker",), ()]
