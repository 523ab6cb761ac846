"""Known faults of engines, which no lab here can show."""

import pytest

from mpigen.swarm.engine_faults import forgets_names, parse_version, split_encryption
from mpigen.swarm.nodes import Node


def _nodes(*engines: str) -> list[Node]:
    return [
        Node(f"id{n}", f"node-{n}", "worker", "ready", "active", engine, f"192.0.2.{n}")
        for n, engine in enumerate(engines, start=1)
    ]


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("28.5.2+dfsg1", (28, 5, 2)),
        ("20.10.24+dfsg1", (20, 10, 24)),
        ("1.13.1", (1, 13, 1)),
        ("29.0.0-rc.1", (29, 0, 0)),
        ("dev", ()),
        ("", ()),
    ],
)
def test_a_version_is_compared_by_its_numbers(version: str, numbers: tuple[int, ...]) -> None:
    assert parse_version(version) == numbers


@pytest.mark.parametrize(
    ("engines", "split"),
    [
        (("28.5.2", "29.0.0"), True),
        (("26.1.5+dfsg1", "29.2.0"), True),
        (("28.5.2", "29.2.1"), False),
        (("29.0.0", "29.2.1"), False),
        (("28.5.2", "28.5.2"), False),
        (("", "29.0.0"), False),
    ],
)
def test_an_encrypted_network_of_mixed_engines_is_refused(
    engines: tuple[str, ...], split: bool
) -> None:
    found = split_encryption(_nodes(*engines))
    assert bool(found) == split
    if found:
        assert "(node-2) and older engines (node-1)" in found.what and "29.2.1" in found.todo


@pytest.mark.parametrize(
    ("engine", "forgets"), [("28.5.2", False), ("29.0.0", True), ("29.7.3", True), ("29.8", False)]
)
def test_engines_that_lose_names_for_good(engine: str, forgets: bool) -> None:
    assert forgets_names(_nodes("26.1", engine)) == forgets
