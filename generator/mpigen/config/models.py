"""What the user writes: mpigen.yaml as pydantic models, each field with its default.

What a value may be is in `fields.py`, what fields must be together in `checks.py`. The schema, the
reference and the file that `mpigen init` writes are made from what stands here.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mpigen.config.types import (
    AptMirror,
    Command,
    CommandLine,
    Constraint,
    Cpus,
    EngineUrl,
    EngineVersion,
    EnvName,
    EnvValue,
    ImagePath,
    ImageReference,
    Label,
    Memory,
    MountOptions,
    NodeName,
    Package,
    ParamName,
    ParamValue,
    PythonPackage,
    ResourceName,
    ServerName,
    Shm,
    SiteFile,
    SiteFolder,
    Slots,
    StackKeys,
    StorageSource,
    StrictBool,
    StrictInt,
    Subnet,
    UserName,
)


class _Section(BaseModel):
    # defer_build: only Config's validator is ever used, and it holds those of the sections
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Image(_Section):
    """The image that every container runs."""

    base: ImageReference = Field(
        "debian:trixie-slim",
        description="Base image, Debian or Ubuntu; its release brings the MPI version.",
    )
    tag: ImageReference | None = Field(
        None,
        description="The image's name; default NAME:latest.",
        examples=["registry.example.org/team/solver:1"],
    )
    distribute: Literal["load", "registry"] = Field(
        "load",
        description="How nodes get it: loaded into each engine, or pushed and pulled.",
    )
    endpoints: dict[NodeName, EngineUrl] = Field(
        {},
        description="With `load`: each node's Docker endpoint, by the node's host name.",
        examples=[{"server2": "ssh://admin@server2"}],
        json_schema_extra={"additionalProperties": False},
    )
    packages: list[Package] = Field(
        [],
        description="Packages for the runtime image.",
        examples=[["gdb", "hwloc"], ["libfftw3-double3=3.3.10-2+b1"]],
    )
    gpu_runtimes: StrictBool = Field(
        False,
        description="Whether GPU runtimes that MPI's packages ask for are installed, as AMD's HIP.",
        examples=[True],
    )
    build_packages: list[Package] = Field(
        [],
        description="Packages for the build stage alone.",
        examples=[["gfortran", "libfftw3-dev"]],
    )
    build_env: dict[EnvName, EnvValue] = Field(
        {},
        description="Environment of the build stage alone, for mirrors and such.",
        examples=[{"PIP_INDEX_URL": "https://pypi.example.org/simple"}],
        json_schema_extra={"additionalProperties": False},
    )
    apt_mirror: AptMirror | None = Field(
        None,
        description="Server in place of Debian's or Ubuntu's own, while packages are installed.",
        examples=["http://mirror.example.edu"],
    )
    ca: SiteFile | None = Field(
        None,
        description="Certificates (PEM) that the build stage trusts, beside mpigen.yaml.",
        examples=["ca.pem"],
    )
    bench: StrictBool = Field(
        False,
        description="Whether it has mpi-bench, which `mpigen bench` runs.",
        examples=[True],
    )


class App(_Section):
    """The MPI program that goes into the image."""

    source: SiteFolder = Field(
        description="Folder with the sources, beside mpigen.yaml.", examples=["app", "src/solver"]
    )
    build: Command | None = Field(
        None,
        description="Puts programs into $BINDIR; default make install, or nothing with python.",
        examples=["make install"],
    )
    python: list[PythonPackage] = Field(
        [],
        description="Python packages, as pip names them; the sources are where jobs start.",
        examples=[["mpi4py", "numpy"]],
    )
    bin: ImagePath = Field("/opt/app/bin", description="$BINDIR: in the image, and on PATH.")
    check: CommandLine | None = Field(
        None,
        description="Command for every rank that exits 0 if the cluster is right.",
        examples=["hello"],
    )


class Mpi(_Section):
    """The MPI implementation and its parameters."""

    implementation: Literal["openmpi", "mpich"] = Field(
        "openmpi", description="MPI implementation."
    )
    params: dict[ParamName, ParamValue] = Field(
        {},
        description="MCA parameters of Open MPI, or environment variables of MPICH.",
        examples=[{"mpi_yield_when_idle": 1}, {"UCX_TLS": "tcp,self,sysv"}],
        json_schema_extra={"additionalProperties": False},
    )


class User(_Section):
    """The unprivileged user that everything runs as."""

    name: UserName = Field("mpi", description="Name of the user.")
    # 0 to 100 are Debian's own: https://www.debian.org/doc/debian-policy/ch-opersys.html#uid-and-gid-classes
    uid: Annotated[StrictInt, Field(ge=101, le=65533)] = Field(1000, description="User id.")
    gid: Annotated[StrictInt, Field(ge=101, le=65533)] = Field(1000, description="Group id.")


class Network(_Section):
    """The overlay network between the containers."""

    name: Label = Field("mpi", description="Network's key in the stack: STACK_NAME on the Swarm.")
    subnet: Subnet | None = Field(
        None,
        description="Subnet of the overlay; default 10.77.0.0/24, or as much as is needed.",
        examples=["10.77.0.0/24"],
    )
    internal: StrictBool = Field(
        False, description="Whether containers reach nothing else.", examples=[True]
    )
    encrypted: StrictBool = Field(
        False,
        description="Whether traffic between servers is encrypted (IPsec), and slower.",
        examples=[True],
    )
    external: StrictBool = Field(
        False, description="Whether `name` is an overlay with that subnet, made by others."
    )
    mtu: Annotated[StrictInt, Field(ge=626, le=65535)] | None = Field(
        None,
        description="MTU of the servers' own network; the overlay gets 50 less.",
        examples=[1500],
    )
    nodes: Annotated[StrictInt, Field(ge=1)] | None = Field(
        None,
        description="Most servers that ever take part; default one a container.",
        examples=[16],
    )
    stack: StackKeys = Field(
        {},
        description="More keys of the network in stack.yml, merged deeply.",
        examples=[{"internal": True}],
    )


class Workers(_Section):
    """A group of equal worker containers: one Swarm service."""

    name: Label = Field("worker", description="Name of the service; hosts are NAME-1, NAME-2, ...")
    mode: Literal["replicated", "global"] = Field(
        "replicated",
        description="`replicas`, or one on every server that may: hosts are NAME-SERVER.",
    )
    replicas: Annotated[StrictInt, Field(ge=1)] = Field(
        2, description="How many containers; if `global`, how many servers it should be on."
    )
    slots: Slots = Field(
        "auto",
        validate_default=True,
        description="Ranks a container; `auto` is the CPUs of `cpus` by `threads`, or 1 without.",
        examples=[2],
    )
    threads: Annotated[StrictInt, Field(ge=1)] | None = Field(
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
    max_per_node: Annotated[StrictInt, Field(ge=1)] | None = Field(
        None, description="Most containers of the group on one node.", examples=[1]
    )
    generic: dict[ResourceName, Annotated[StrictInt, Field(ge=1)]] = Field(
        {},
        description="Generic resources that a container takes of its server, such as GPUs.",
        examples=[{"NVIDIA-GPU": 1}],
        json_schema_extra={"additionalProperties": False},
    )
    stack: StackKeys = Field(
        {},
        description="More keys of the service in stack.yml, merged deeply.",
        examples=[{"environment": {"TZ": "Europe/Berlin"}}],
    )


class Storage(_Section):
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


class Launcher(_Section):
    """A container more, with no slots: a fixed place to log in to, as `ssh launcher`."""

    name: Label = Field("launcher", description="Name of the service, and of its host.")
    constraints: list[Constraint] = Field(
        [], description="Swarm placement constraints.", examples=[["node.role==manager"]]
    )


class Engine(_Section):
    """The Docker that the cluster is for."""

    minimum: EngineVersion = Field(
        "20.10",
        validate_default=True,
        description="The oldest engine and client; with 25.0, workers are there sooner.",
        examples=["25.0"],
    )


class Ssh(_Section):
    """How the containers reach one another."""

    port: Annotated[StrictInt, Field(ge=1024, le=65535)] = Field(2222, description="sshd's port.")
    delivery: Literal["image", "secret"] = Field(
        "image", description="Where containers get private keys: the image, or Swarm secrets."
    )


_DEFAULTS = Field({}, validate_default=True)  # a section that is not in the file


class Config(_Section):
    """An MPI cluster on Docker Swarm, as mpigen.yaml describes it."""

    name: Label = Field(
        description="Name of the cluster, the image and the stack.", examples=["mycluster"]
    )
    image: Image = _DEFAULTS
    app: App | None = None
    mpi: Mpi = _DEFAULTS
    user: User = _DEFAULTS
    network: Network = _DEFAULTS
    workers: list[Workers] = Field([{}], min_length=1, validate_default=True)
    storage: list[Storage] = []
    launcher: Launcher | None = None
    ssh: Ssh = _DEFAULTS
    engine: Engine = _DEFAULTS
    stack: StackKeys = Field(
        {},
        description="More keys of stack.yml, merged deeply, such as volumes or a service.",
        examples=[{"volumes": {"scratch": {"driver": "local"}}}],
    )
