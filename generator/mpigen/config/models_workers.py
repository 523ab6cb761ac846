"""Sections of mpigen.yaml that define the containers and their storage."""

import re
from typing import Annotated, Literal

from pydantic import Field

from mpigen.config import limits
from mpigen.config.section import Section
from mpigen.config.types import (
    Constraint,
    Cpus,
    ImagePath,
    Label,
    Memory,
    MountOptions,
    Package,
    ResourceName,
    ServerName,
    Shm,
    Slots,
    StackKeys,
    StorageSource,
    StrictBool,
    StrictInt,
)


class Workers(Section):
    """A group of equal worker containers: one Swarm service."""

    name: Label = Field("worker", description="Name of the service; hosts are NAME-1, NAME-2, ...")
    mode: Literal["replicated", "global"] = Field(
        "replicated",
        description="`replicas`, or one on every server that may: hosts are NAME-SERVER.",
    )
    replicas: Annotated[StrictInt, Field(ge=1, le=limits.REPLICAS)] = Field(
        2, description="How many containers; if `global`, how many servers it should be on."
    )
    slots: Slots = Field(
        "auto",
        validate_default=True,
        description="Ranks a container; `auto` is the CPUs of `cpus` by `threads`, or 1 without.",
        examples=[2],
    )
    threads: Annotated[StrictInt, Field(ge=1, le=limits.CPUS)] | None = Field(
        None,
        description="Threads of each rank: OMP_NUM_THREADS.",
        examples=[4],
    )
    cpus: Cpus | None = Field(None, description="CPU limit of a container.", examples=[2, 1.5])
    memory: Memory | None = Field(
        None, description="Memory limit of a container.", examples=["4g", "512m"]
    )
    shm: Shm | None = Field(
        None,
        description="Size of /dev/shm; default 512m or 16m a slot, half of `memory` at most.",
        examples=["1g"],
    )
    packages: list[Package] = Field(
        [],
        description="Packages of this group alone, in an image of its own beside `image.tag`.",
        examples=[["clinfo"]],
    )
    constraints: list[Constraint] = Field(
        [],
        description="Swarm placement constraints.",
        examples=[["node.labels.mpi==yes"], ["node.role!=manager", "node.platform.arch==x86_64"]],
    )
    max_per_node: Annotated[StrictInt, Field(ge=1, le=limits.REPLICAS)] | None = Field(
        None, description="Most containers of the group on one node.", examples=[1]
    )
    generic: dict[ResourceName, Annotated[StrictInt, Field(ge=1, le=limits.RESOURCES)]] = Field(
        {},
        description="Generic resources that a container takes of its server, such as GPUs.",
        examples=[{"GPU": 1}],
        json_schema_extra={"additionalProperties": False},
    )
    stack: StackKeys = Field(
        {},
        description="More keys of the service in stack.yml, merged deeply.",
        examples=[{"environment": {"TZ": "Europe/Berlin"}}],
    )


class Storage(Section):
    """A folder of all workers that is kept, or shared, or scratch."""

    target: ImagePath = Field(
        description="Where the containers have it.", examples=["/data", "/scratch"]
    )
    type: Literal["volume", "bind", "nfs", "tmpfs"] = Field(
        "volume",
        description="A server's volume, its folder, a file server's, or a worker's memory.",
    )
    source: StorageSource | None = Field(
        None,
        description="The volume's name, or the folder of the server or file server.",
        examples=["data", "/srv/mpi"],
    )
    server: ServerName | None = Field(
        None, description="With `nfs`: the file server.", examples=["nfs.example.org"]
    )
    options: MountOptions | None = Field(
        None, description="With `nfs`: more mount options.", examples=["nfsvers=4.2,hard"]
    )
    size: Shm | None = Field(None, description="With `tmpfs`: its size.", examples=["2g"])
    read_only: StrictBool = Field(False, description="Whether containers only read it.")

    @property
    def volume(self) -> str | None:
        """The volume's key in stack.yml, or None; an NFS volume is named after its target."""
        if self.type == "nfs":
            return re.sub(r"[/+]", "_", self.target.strip("/"))
        return self.source if self.type == "volume" else None


class Launcher(Section):
    """A container more, with no slots: a fixed place to log in to, as `ssh launcher`."""

    name: Label = Field("launcher", description="Name of the service, and of its host.")
    constraints: list[Constraint] = Field(
        [], description="Swarm placement constraints.", examples=[["node.role==manager"]]
    )
