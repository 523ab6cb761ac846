"""The nodes of a Swarm, as its managers report them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import docker


@dataclass(frozen=True)
class Node:
    """A node of the Swarm. `name` is its host name, `address` where the other nodes reach it.

    `manager` is leader, reachable or unreachable, and empty for a worker. `attributes` holds what
    placement constraints can compare: node.role, node.labels.rack, ...
    """

    id: str
    name: str
    role: str
    state: str
    availability: str
    engine: str
    address: str
    manager: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def machine(self) -> str:
        """Its processor as the kernel calls it, such as aarch64; empty while the node joins."""
        return self.attributes.get("node.platform.arch", "")

    @property
    def is_ready(self) -> bool:
        """Whether Swarm starts containers on it: ready and active."""
        return (self.state, self.availability) == ("ready", "active")


def parse(entry: Mapping[str, Any]) -> Node:
    """A node from its entry in the API's list. While it joins, its id stands in for its name."""
    spec, status = entry["Spec"], entry["Status"]
    # a node that is just joining has no description yet
    described = entry.get("Description") or {}
    platform = described.get("Platform") or {}
    engine = described.get("Engine") or {}
    manager = entry.get("ManagerStatus") or {}
    return Node(
        id=entry["ID"],
        name=described.get("Hostname", entry["ID"]),
        role=spec["Role"],
        state=status["State"],
        availability=spec["Availability"],
        engine=engine.get("EngineVersion", ""),
        # a leader that listens on all addresses reports its status address as 0.0.0.0
        address=manager.get("Addr", "").rpartition(":")[0] or status.get("Addr", ""),
        manager="leader" if manager.get("Leader") else manager.get("Reachability", ""),
        attributes={
            "node.id": entry["ID"],
            "node.hostname": described.get("Hostname", ""),
            "node.role": spec["Role"],
            "node.platform.os": platform.get("OS", ""),
            "node.platform.arch": platform.get("Architecture", ""),
            **{f"node.labels.{key}": value for key, value in (spec.get("Labels") or {}).items()},
            **{
                f"engine.labels.{key}": value for key, value in (engine.get("Labels") or {}).items()
            },
        },
    )


def listed(client: "docker.DockerClient") -> list[Node]:
    """All nodes of the Swarm whose manager `client` talks to. Raises what the Docker SDK raises."""
    return [parse(entry) for entry in client.api.nodes()]
