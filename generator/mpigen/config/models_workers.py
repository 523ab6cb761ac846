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
    """A group of identical worker containers: one Swarm service."""

    name: Label = Field("worker", description="Service name. Hosts are called NAME-1, NAME-2, ...")
    mode: Literal["replicated", "global"] = Field(
        "replicated",
        description="`global` runs one container per eligible server; hosts are NAME-SERVER.",
    )
    replicas: Annotated[StrictInt, Field(ge=1, le=limits.REPLICAS)] = Field(
        2, description="Number of containers. With `global`: expected number of servers."
    )
    slots: Slots = Field(
        "auto",
        validate_default=True,
        description="Ranks per container. `auto` is `cpus` / `threads`, rounded down, at least 1.",
        examples=[2],
    )
    threads: Annotated[StrictInt, Field(ge=1, le=limits.CPUS)] | None = Field(
        None,
        description="Threads per rank (OMP_NUM_THREADS).",
        examples=[4],
    )
    cpus: Cpus | None = Field(
        None,
        description="CPU limit per container. With one on each server, its number of cores.",
        examples=[2, 1.5],
    )
    memory: Memory | None = Field(
        None, description="Memory limit per container.", examples=["4g", "512m"]
    )
    shm: Shm | None = Field(
        None,
        description="Size of /dev/shm. Default: 512m or 16m per slot, at most half of `memory`.",
        examples=["1g"],
    )
    packages: list[Package] = Field(
        [],
        description="The distribution's packages for this group only, in a separate image.",
        examples=[["clinfo"]],
    )
    constraints: list[Constraint] = Field(
        [],
        description="Swarm placement constraints.",
        examples=[["node.labels.mpi==yes"], ["node.role!=manager", "node.platform.arch==x86_64"]],
    )
    max_per_node: Annotated[StrictInt, Field(ge=1, le=limits.REPLICAS)] | None = Field(
        None, description="Maximum number of containers per server.", examples=[1]
    )
    generic: dict[ResourceName, Annotated[StrictInt, Field(ge=1, le=limits.RESOURCES)]] = Field(
        {},
        description="Generic resources that each container reserves, such as GPUs.",
        examples=[{"GPU": 1}],
        json_schema_extra={"additionalProperties": False},
    )
    stack: StackKeys = Field(
        {},
        description="Additional keys for the service in stack.yml, merged recursively.",
        examples=[{"environment": {"TZ": "Europe/Berlin"}}],
    )


class Storage(Section):
    """Directories mounted into every worker: persistent, shared or scratch."""

    target: ImagePath = Field(
        description="Mount point in the containers.", examples=["/data", "/scratch"]
    )
    type: Literal["volume", "bind", "nfs", "tmpfs"] = Field(
        "volume",
        description="Docker volume, directory of the server (bind), NFS export, or memory (tmpfs).",
    )
    source: StorageSource | None = Field(
        None,
        description="Volume name, or directory of the server or file server.",
        examples=["data", "/srv/mpi"],
    )
    server: ServerName | None = Field(
        None,
        description="With `nfs`: host name or address of the file server.",
        examples=["nfs.example.org"],
    )
    options: MountOptions | None = Field(
        None, description="With `nfs`: additional mount options.", examples=["nfsvers=4.2,hard"]
    )
    size: Shm | None = Field(None, description="With `tmpfs`: maximum size.", examples=["2g"])
    read_only: StrictBool = Field(False, description="Mount it read-only.")
    shared: StrictBool | None = Field(
        None,
        description="All servers see the same files, which `verify` proves; true with `nfs`.",
        examples=[True],
    )

    @property
    def is_shared(self) -> bool:
        """Whether all servers are to see the same files, and a container can write to prove it."""
        said = self.type == "nfs" if self.shared is None else self.shared
        return said and not self.read_only

    @property
    def volume(self) -> str | None:
        """The volume's key in stack.yml, or None; an NFS volume is named after its target."""
        if self.type == "nfs":
            return re.sub(r"[/+]", "_", self.target.strip("/"))
        return self.source if self.type == "volume" else None


class Launcher(Section):
    """One extra container without slots, to log in to (`ssh launcher`) and start jobs."""

    name: Label = Field("launcher", description="Name of the service and of its host.")
    constraints: list[Constraint] = Field(
        [], description="Swarm placement constraints.", examples=[["node.role==manager"]]
    )
