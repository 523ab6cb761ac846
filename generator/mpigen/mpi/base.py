"""What differs between MPI implementations: the fields, and the names that they share."""

from dataclasses import dataclass, field

HOSTFILE = "/run/mpi/hostfile"
# what starts each rank, carries its input and output, and tells mpirun how it ends
RANK = "/usr/local/bin/mpi-rank"
# starts Open MPI's daemon on each host, and lets go of it
DAEMON = "/usr/local/bin/mpi-daemon"
# logs in to each host for Open MPI's mpirun
LOGIN = "/usr/local/bin/mpi-login"
# stands for the overlay's interface until the container starts and knows it
INTERFACE = "@interface@"
# and for the way in which ranks of one container copy: cma, where the engine allows it, or none
SINGLE_COPY = "@single_copy@"


@dataclass(frozen=True)
class ParamsFile:
    """A file of `name = value` lines that an MPI reads, and what mpigen says in it.

    `path` is where MPI looks for it: the image links it to a copy in /run/mpi that the
    container makes when it starts, unless it is read there. `unbound` is said where containers
    may share a node, `flat` where mpirun starts every daemon itself.
    """

    path: str
    params: dict[str, str]
    unbound: dict[str, str] = field(default_factory=dict)
    flat: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file's name: it lies in /etc/mpi as rendered, in /run/mpi as started."""
        return self.path.rpartition("/")[2]

    @property
    def linked(self) -> bool:
        """Whether it is looked for elsewhere than where the container makes it."""
        return not self.path.startswith("/run/mpi/")


@dataclass(frozen=True)
class Implementation:
    """An MPI implementation as Debian and Ubuntu package it.

    `name` is as in mpigen.yaml. A parameter that a version does not know is passed over, so one
    table serves all versions.
    `param_names` is a pattern of those that it can have, `param_kind` what they are called.
    `slots_sign` stands between address and slots in its hostfile. `rank_variables` tell a rank
    its job (if there may be several under one mpirun), its number and how many there are.
    `one_a_host` are mpirun's words for one rank on each host, whatever slots it has.
    `wraps` is true where mpirun's words name what starts each rank, since no setting does; and
    `carrying` is a pattern of the options with which mpirun has to carry input and output.
    `naps` are environment variables with which a rank that waits sleeps, where that can be had.
    `session_folder` begins the name of what the daemons of several jobs share on a host, if any.
    `reserved_params` are found when a container starts, and a user cannot set them.
    `programs` are those of /usr/local/bin in the image that this implementation needs and others
    do not have.
    """

    name: str
    runtime_packages: tuple[str, ...]
    build_packages: tuple[str, ...]
    params_files: tuple[ParamsFile, ...]
    param_kind: str
    param_names: str
    slots_sign: str
    rank_variables: tuple[str, str, str]
    one_a_host: tuple[str, ...]
    wraps: bool
    carrying: str
    reserved_params: tuple[str, ...]
    session_folder: str = ""
    programs: tuple[str, ...] = ()
    naps: dict[str, str] = field(default_factory=dict)
