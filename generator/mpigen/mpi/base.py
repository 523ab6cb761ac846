"""The description of an MPI implementation, and the paths and placeholders they share."""

from dataclasses import dataclass, field

HOSTFILE = "/run/mpi/hostfile"
# Starts a rank, carries its input and output, and reports its end to mpirun.
RANK = "/usr/local/bin/mpi-rank"
# Starts Open MPI's daemon on a host, and detaches from it.
DAEMON = "/usr/local/bin/mpi-daemon"
# Logs in to a host for Open MPI's mpirun.
LOGIN = "/usr/local/bin/mpi-login"
# Placeholders, replaced when a container starts: the overlay's interface, and the way in which
# ranks of one container copy (cma if the engine allows it, else none).
INTERFACE = "@interface@"
SINGLE_COPY = "@single_copy@"


@dataclass(frozen=True)
class Packages:
    """An MPI's packages for one package manager, and where they install it.

    `runtime` are for the image, `build` for its build stage. Parameter files are in `folders` and
    in those of `ParamsFile`, and in PREFIX/etc if the prefix is not /usr.
    """

    runtime: tuple[str, ...]
    build: tuple[str, ...]
    prefix: str = "/usr"
    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class ParamsFile:
    """A parameter file of an MPI, with lines `name = value`, and mpigen's parameters in it.

    A starting container writes `name` in /run/mpi. MPI reads it in one of `folders` or in
    PREFIX/etc: links to /run/mpi in the image. Without folders, mpirun sets the parameters as
    environment variables. `unbound` are additional parameters if containers may share a node, and
    `flat` if mpirun starts every daemon itself. `renamed` has the new names of parameters by the
    major version of MPI from which they are used.
    """

    name: str
    params: dict[str, str]
    unbound: dict[str, str] = field(default_factory=dict)
    flat: dict[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    renamed: dict[int, dict[str, str]] = field(default_factory=dict)

    @property
    def linked(self) -> bool:
        """Whether MPI reads the file itself, by a link to the one in /run/mpi."""
        return bool(self.folders)

    def name_since(self, param: str, major: int) -> str:
        """The name of one of mpigen's parameters in that major version of the MPI."""
        for since, names in sorted(self.renamed.items()):
            param = names.get(param, param) if major >= since else param
        return param


@dataclass(frozen=True)
class Implementation:
    """An MPI implementation, wherever it comes from.

    `name`: in mpigen.yaml.
    `packages`: those that install it, by the name of the package manager.
    `wheels`: the projects on PyPI that have it, and `wheel_packages` what those need beside them.
    `environment`: variables that it needs outside of /usr, where {prefix} stands for its prefix.
    `only`: the platforms that it exists for; empty for all.
    `mpirun`: the program of its PREFIX/bin that starts jobs.
    `hostfile_option`: its option for a hostfile, if it only reads slots from one that is named
    on the command line.
    `params_files`: one table for all versions, since each ignores parameters that it does not know.
    `param_names`: a pattern of valid parameter names. `param_kind`: the term for them in messages.
    `slots_sign`: the separator between address and slots in its hostfile.
    `rank_variables`: environment variables of a rank with its job (empty unless one mpirun can run
    several), its number, and the number of ranks.
    `one_a_host`: options of mpirun for one rank on each host, regardless of slots.
    `wraps`: whether mpi-rank must be on mpirun's command line, because no parameter sets it.
    `carrying`: a pattern of the options that require mpirun itself to carry input and output.
    `naps`: environment variables that make waiting ranks sleep, if it supports that.
    `session_folder`: the start of the path that daemons of several jobs share on a host, if any.
    `reserved_params`: parameters that only mpigen sets, most of them when a container starts.
    `programs`: files in the image's /usr/local/bin that this implementation needs, and no other.
    `export`: mpirun's option that passes one variable to the ranks; empty if it passes all of them.
    `options`: mpirun's options without dashes, and how many words follow each (see `words`).
    """

    name: str
    packages: dict[str, Packages]
    wheels: tuple[str, ...]
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
    export: str = ""
    options: dict[str, int] = field(default_factory=dict)
    wheel_packages: dict[str, tuple[str, ...]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    mpirun: str = "mpirun"
    hostfile_option: str = ""


def words(none: str, one: str, two: str = "") -> dict[str, int]:
    """A table of mpirun's options by the number of words that follow them."""
    names = {count: text.split() for count, text in enumerate((none, one, two))}
    return {name: count for count, found in names.items() for name in found}
