"""Intel MPI, from PyPI: Hydra of its own, and libfabric's provider for TCP."""

from mpigen.mpi.base import (
    HOSTFILE,
    INTERFACE,
    Implementation,
    ParamsFile,
    words,
)

INTEL = Implementation(
    name="intel",
    # no distribution has it
    packages={},
    # impi-rt asks for libfabric, which PyPI does not have
    wheels=("impi-rt", "impi-devel"),
    wheel_packages={
        "apt": ("libfabric1",),
        "dnf": ("libfabric",),
        "zypper": ("libfabric1",),
    },
    only=("linux/amd64",),
    environment={"I_MPI_ROOT": "{prefix}"},
    mpirun="mpiexec.hydra",
    # of the file in I_MPI_HYDRA_HOST_FILE it takes the hosts alone, and their cores for slots
    hostfile_option="-machinefile",
    params_files=(
        # Environment variables: our mpirun reads them here and passes them to every rank.
        ParamsFile(
            "intel-params.conf",
            {
                "I_MPI_HYDRA_HOST_FILE": HOSTFILE,
                "I_MPI_HYDRA_BOOTSTRAP": "ssh",
                "I_MPI_HYDRA_IFACE": INTERFACE,
                # shared memory on a host, and plain TCP on the overlay's interface between hosts
                "I_MPI_FABRICS": "shm:ofi",
                "FI_PROVIDER": "tcp",
                "FI_TCP_IFACE": INTERFACE,
            },
            # Containers on one node would bind their ranks to the same cores.
            unbound={"I_MPI_PIN": "0"},
        ),
    ),
    param_kind="environment variable of Intel MPI, libfabric or Hydra",
    param_names="[A-Z][A-Z0-9_]*",
    slots_sign=":",
    rank_variables=("", "PMI_RANK", "PMI_SIZE"),
    one_a_host=("-ppn", "1"),
    wraps=True,
    carrying="(out|err)file-pattern|prepend-(rank|pattern|timestamp)|s$",
    reserved_params=(
        "FI_TCP_IFACE",
        "I_MPI_HYDRA_BOOTSTRAP",
        "I_MPI_HYDRA_HOST_FILE",
        "I_MPI_HYDRA_IFACE",
    ),
    # mpiexec.hydra -help of 2021.19
    options=words(
        none="genvnone genvall envnone envall v verbose info version print-all-exitcodes "
        "disable-x enable-x print-rank-map disable-auto-cleanup enable-auto-cleanup "
        "disable-hostname-propagation prepend-rank l prepend-timestamp nolocal prot "
        "silent-abort aps mps gdb tv",
        one="f hosts host machinefile wdir wd path umask configfile genvlist envlist n np "
        "launcher bootstrap launcher-exec bootstrap-exec rmk topolib bind-to map-by membind demux "
        "errfile-pattern outfile-pattern iface localhost nameserver ppn perhost prepend-pattern "
        "usize hosts-group gtool gtoolfile s tune cpu-bind",
        two="genv env",
    ),
)
