"""A cluster under its stack name on a Swarm: the subject of every command after the build."""

from dataclasses import dataclass

from mpigen.artifacts.folder import Artifacts
from mpigen.swarm import nodes
from mpigen.swarm.engine import Engine, blame
from mpigen.swarm.nodes import Node


@dataclass(frozen=True)
class Deployment:
    """The artifacts of a cluster, the engine to deploy them with, and the stack's name.

    The stack need not be deployed yet.
    """

    engine: Engine
    artifacts: Artifacts
    stack: str

    @property
    def network(self) -> str:
        """The overlay's name on the Swarm."""
        return self.artifacts.network_of(self.stack)

    def service(self, group: str) -> str:
        """The name of a worker group's service."""
        return f"{self.stack}_{group}"

    def nodes(self) -> list[Node]:
        """All nodes of the Swarm. Raises ClusterError if the engine is no manager, or silent."""
        with blame("asking for the nodes"):
            return nodes.listed(self.engine.client)
