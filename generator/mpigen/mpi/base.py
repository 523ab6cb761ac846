"""What differs between MPI implementations, in one table."""

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
    may share a node, `many` where there are many containers: no tree of logins then.
    """

    path: str
    params: dict[str, str]
    unbound: dict[str, str] = field(default_factory=dict)
    many: dict[str, str] = field(default_factory=dict)

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
    session_folder: str = ""
    programs: tuple[str, ...] = ()
    naps: dict[str, str] = field(default_factory=dict)


# A node that is cut off ends the job in about 25 s; by Open MPI's own settings, never.
_KEEPALIVE = {
    "oob_tcp_keepalive_time": "10",
    "oob_tcp_keepalive_intvl": "5",
    "oob_tcp_keepalive_probes": "3",
}

IMPLEMENTATIONS = {
    "openmpi": Implementation(
        name="openmpi",
        runtime_packages=("openmpi-bin",),
        build_packages=("g++", "libopenmpi-dev", "make"),
        params_files=(
            # Interfaces go by name, not by subnet: a subnet that PRRTE fails to match (seen on
            # Open MPI 5.0.7 with a correct one) means every interface, and so a hang.
            # Binding goes off, since containers of one node would all bind to core 0.
            ParamsFile(
                # Open MPI, and the daemons of Open MPI 4
                "/etc/openmpi/openmpi-mca-params.conf",
                {
                    "btl_tcp_if_include": INTERFACE,
                    "oob_tcp_if_include": INTERFACE,
                    "orte_default_hostfile": HOSTFILE,
                    "orte_fork_agent": RANK,
                    "orte_launch_agent": DAEMON,
                    "plm_rsh_agent": LOGIN,
                    # The overlay is plain TCP. Looking for faster fabrics costs each rank a
                    # second at its start, and UCX would look on every interface.
                    "pml": "ob1",
                    "mtl": "^ofi,psm2",
                    "btl": "^openib,uct,ofi,usnic",
                    # Open MPI's own 64 KiB count headers: a message of 64 KiB waits for an answer
                    # first, and takes twice as long (tests/bench/limits.py)
                    "btl_tcp_eager_limit": "131072",
                    # Ranks of one container copy by a shared buffer (vader, which Open MPI 5 calls
                    # sm as well), piece by piece: 4 MiB in its own 32 KiB take a third longer (the
                    # same bench)
                    "btl_vader_max_send_size": "131072",
                    "btl_vader_rndv_eager_limit": "131072",
                    # Open MPI 4 reads the other's memory instead; where an engine forbids that, as
                    # those before 23.0 do, it says `Read -1` of each message. 5 asks first
                    "btl_vader_single_copy_mechanism": SINGLE_COPY,
                    **_KEEPALIVE,
                },
                # and a rank that waits lets the others run: containers may share cores too
                unbound={"hwloc_base_binding_policy": "none", "mpi_yield_when_idle": "1"},
                many={"plm_rsh_no_tree_spawn": "1"},
            ),
            ParamsFile(
                # PRRTE: the daemons of Open MPI 5
                "/etc/openmpi/prte-mca-params.conf",
                {
                    "prte_if_include": INTERFACE,
                    "prte_default_hostfile": HOSTFILE,
                    "odls_base_exec_agent": RANK,
                    "prte_launch_agent": DAEMON,
                    "plm_ssh_agent": LOGIN,
                    # each is 2 MiB while it lasts
                    "plm_ssh_num_concurrent": "32",
                    **_KEEPALIVE,
                },
                unbound={"hwloc_default_binding_policy": "none"},
                many={"plm_ssh_no_tree_spawn": "1"},
            ),
        ),
        param_kind="MCA parameter",
        param_names="[a-z][a-z0-9_]*",
        slots_sign=" slots=",
        rank_variables=("PMIX_NAMESPACE", "PMIX_RANK", "OMPI_COMM_WORLD_SIZE"),
        one_a_host=("--map-by", "ppr:1:node"),
        wraps=False,
        carrying="stdin|output|tag-output|timestamp-output|merge-stderr|xml|xterm",
        session_folder="/tmp/ompi",
        programs=("mpi-daemon", "mpi-login"),
        # Open MPI 5; Open MPI 4 knows no such sleep, and passes over what it does not know
        naps={
            "OMPI_MCA_mpi_yield_when_idle": "1",
            "OMPI_MCA_threads_pthreads_yield_strategy": "nanosleep",
        },
    ),
    "mpich": Implementation(
        name="mpich",
        runtime_packages=("mpich",),
        build_packages=("g++", "libmpich-dev", "make"),
        params_files=(
            # environment variables, which mpirun reads here and hands to every rank
            ParamsFile(
                "/run/mpi/mpich-params.conf",
                {
                    "HYDRA_HOST_FILE": HOSTFILE,
                    "HYDRA_LAUNCHER": "ssh",
                    # Both, or a job on several nodes hangs: the launcher's interface, and UCX's,
                    # which Debian's MPICH is built on.
                    "HYDRA_IFACE": INTERFACE,
                    "UCX_NET_DEVICES": INTERFACE,
                },
            ),
        ),
        param_kind="environment variable of MPICH, UCX or Hydra",
        param_names="[A-Z][A-Z0-9_]*",
        slots_sign=":",
        # Hydra starts what a program spawns without our words
        rank_variables=("", "PMI_RANK", "PMI_SIZE"),
        one_a_host=("-ppn", "1"),
        wraps=True,
        carrying="(out|err)file-pattern|prepend-(rank|pattern)",
    ),
}
