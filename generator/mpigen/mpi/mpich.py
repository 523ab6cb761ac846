"""MPICH."""

from mpigen.mpi.base import (
    HOSTFILE,
    INTERFACE,
    Implementation,
    Packages,
    ParamsFile,
    words,
)

MPICH = Implementation(
    name="mpich",
    packages={
        "apt": Packages(("mpich",), ("libmpich-dev",)),
        "dnf": Packages(("mpich",), ("mpich-devel",), "/usr/lib64/mpich"),
        "zypper": Packages(("mpich",), ("mpich-devel",), "/usr/lib64/mpi/gcc/mpich"),
        "apk": Packages(("mpich",), ("mpich-dev",)),
    },
    wheels=("mpich",),
    params_files=(
        # Environment variables: our mpirun reads them here and passes them to every rank.
        ParamsFile(
            "mpich-params.conf",
            {
                "HYDRA_HOST_FILE": HOSTFILE,
                "HYDRA_LAUNCHER": "ssh",
                # A job on several nodes hangs unless both are set: Hydra's interface, and that of
                # UCX, on which Debian builds MPICH.
                "HYDRA_IFACE": INTERFACE,
                "UCX_NET_DEVICES": INTERFACE,
                # Of MPICH on libfabric.
                "FI_TCP_IFACE": INTERFACE,
            },
        ),
    ),
    param_kind="environment variable of MPICH, UCX or Hydra",
    param_names="[A-Z][A-Z0-9_]*",
    slots_sign=":",
    # Hydra starts spawned programs without mpi-rank, so no rank needs to find its job.
    rank_variables=("", "PMI_RANK", "PMI_SIZE"),
    one_a_host=("-ppn", "1"),
    wraps=True,
    carrying="(out|err)file-pattern|prepend-(rank|pattern)",
    reserved_params=(
        "FI_TCP_IFACE",
        "HYDRA_HOST_FILE",
        "HYDRA_IFACE",
        "HYDRA_LAUNCHER",
        "UCX_NET_DEVICES",
    ),
    # Hydra's options: utils.c of ui/mpich in MPICH's sources.
    options=words(
        none="genvnone genvall envnone envall v verbose info version print-all-exitcodes "
        "disable-x enable-x print-rank-map disable-auto-cleanup enable-auto-cleanup "
        "disable-hostname-propagation enable-hostname-propagation skip-launch-node prepend-rank l "
        "pmi-port profile",
        one="f hosts host hostlist machinefile rankmap wdir wd path umask configfile genvlist "
        "envlist n np launcher bootstrap launcher-exec bootstrap-exec rmk topolib bind-to binding "
        "map-by membind demux errfile-pattern outfile-pattern gpus-per-proc iface localhost "
        "nameserver order-nodes ppn prepend-pattern usize memory-alloc-kinds output-from",
        two="genv env",
    ),
)
