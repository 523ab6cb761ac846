"""How the service that is asked for differs from the one that there is."""

from typing import Any

import pytest

from mpigen.stack import specs

ASKED: dict[str, Any] = {
    "Name": "s_cpu",
    "Labels": {"com.docker.stack.image": "x:1"},
    "TaskTemplate": {
        "ContainerSpec": {"Image": "x:1", "Env": ["A=1", "B=secret"], "Init": True},
        "RestartPolicy": {"Delay": 2},
        "Placement": {},
        "Networks": [{"Target": "s_net", "Aliases": ["cpu"]}],
        "ForceUpdate": 0,
    },
    "Mode": {"Replicated": {"Replicas": 3}},
    "UpdateConfig": {"Parallelism": 0},
}
# the same, as an engine reports it
LIVE: dict[str, Any] = {
    **ASKED,
    "TaskTemplate": {
        **ASKED["TaskTemplate"],
        "ContainerSpec": {**ASKED["TaskTemplate"]["ContainerSpec"], "Isolation": "default"},
        "RestartPolicy": {"Condition": "any", "Delay": 2, "MaxAttempts": 0},
        "Networks": [{"Target": "id1", "Aliases": ["cpu"]}],
        "Runtime": "container",
    },
    "UpdateConfig": {"FailureAction": "pause", "Order": "stop-first", "MaxFailureRatio": 0},
    "EndpointSpec": {"Mode": "vip"},
}
NETWORKS = {"id1": "s_net"}


def with_container(**values: Any) -> dict[str, Any]:
    template = ASKED["TaskTemplate"]
    changed = {**template["ContainerSpec"], **values}
    return {**ASKED, "TaskTemplate": {**template, "ContainerSpec": changed}}


def test_what_an_engine_fills_in_is_no_difference() -> None:
    assert specs.differences(LIVE, ASKED, NETWORKS) == []


@pytest.mark.parametrize(
    ("asked", "what", "before", "after", "replaces"),
    [
        (with_container(Image="x:2"), "image", "x:1", "x:2", True),
        (with_container(Labels={"mpigen.image": "i"}), "image id", None, "i", True),
        (with_container(Init=False), "Init", True, False, True),
        (with_container(Init=None), "Init", True, None, True),
        ({**ASKED, "Mode": {"Replicated": {"Replicas": 0}}}, "replicas", 3, 0, False),
        ({**ASKED, "EndpointSpec": {"Mode": "dnsrr"}}, "EndpointSpec.Mode", None, "dnsrr", True),
        ({**ASKED, "Labels": {"of": "ours"}}, "Labels.of", None, "ours", False),
    ],
)
def test_a_difference_and_whether_containers_are_replaced(
    asked: dict[str, Any], what: str, before: object, after: object, replaces: bool
) -> None:
    (found,) = specs.differences(LIVE, asked, NETWORKS)
    assert (found.what, found.before, found.after, found.replaces) == (
        what,
        before,
        after,
        replaces,
    )


def test_of_the_environment_names_alone_are_shown() -> None:
    asked = with_container(Env=["A=1", "B=other", "C=new"])
    (found,) = specs.differences(LIVE, asked, NETWORKS)
    assert (found.before, found.after) == (["B"], ["B", "C"])


def test_another_order_is_a_difference_too() -> None:
    (found,) = specs.differences(LIVE, with_container(CapabilityDrop=["A", "B"]), NETWORKS)
    assert found.after == ["A", "B"]
    live = with_container(CapabilityDrop=["B", "A"])
    (found,) = specs.differences(live, with_container(CapabilityDrop=["A", "B"]), NETWORKS)
    assert (found.before, found.after) == (["B", "A"], ["A", "B"])


def test_placement_is_known_as_such() -> None:
    template = {**ASKED["TaskTemplate"], "Placement": {"Constraints": ["node.role == worker"]}}
    (found,) = specs.differences(LIVE, {**ASKED, "TaskTemplate": template}, NETWORKS)
    assert found.is_placement and found.replaces
