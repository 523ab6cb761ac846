"""Open MPI 4 and 5, as Debian and Ubuntu package them."""

from mpigen.mpi.base import (
    DAEMON,
    HOSTFILE,
    INTERFACE,
    LOGIN,
    RANK,
    SINGLE_COPY,
    Implementation,
    ParamsFile,
)

# A node that is cut off ends the job in about 25 s; by Open MPI's own settings, never.
_KEEPALIVE = {
    "oob_tcp_keepalive_time": "10",
    "oob_tcp_keepalive_intvl": "5",
    "oob_tcp_keepalive_probes": "3",
}

OPENMPI = Implementation(
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
            flat={"plm_rsh_no_tree_spawn": "1"},
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
            flat={"plm_ssh_no_tree_spawn": "1"},
        ),
    ),
    param_kind="MCA parameter",
    param_names="[a-z][a-z0-9_]*",
    slots_sign=" slots=",
    rank_variables=("PMIX_NAMESPACE", "PMIX_RANK", "OMPI_COMM_WORLD_SIZE"),
    one_a_host=("--map-by", "ppr:1:node"),
    wraps=False,
    carrying="stdin|output|tag-output|timestamp-output|merge-stderr|xml|xterm",
    # a second opinion would make Open MPI use both interfaces
    reserved_params=(
        "btl_tcp_if_include",
        "btl_tcp_if_exclude",
        "oob_tcp_if_include",
        "oob_tcp_if_exclude",
        "prte_if_include",
        "prte_if_exclude",
        "orte_default_hostfile",
        "prte_default_hostfile",
    ),
    session_folder="/tmp/ompi",
    programs=("mpi-daemon", "mpi-login"),
    # Open MPI 5; Open MPI 4 knows no such sleep, and passes over what it does not know
    naps={
        "OMPI_MCA_mpi_yield_when_idle": "1",
        "OMPI_MCA_threads_pthreads_yield_strategy": "nanosleep",
    },
)
