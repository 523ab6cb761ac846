"""The registry of MPI implementations; each has a file with everything specific to it."""

from mpigen.mpi.base import Implementation
from mpigen.mpi.intel import INTEL
from mpigen.mpi.mpich import MPICH
from mpigen.mpi.openmpi import OPENMPI

IMPLEMENTATIONS: dict[str, Implementation] = {each.name: each for each in (OPENMPI, MPICH, INTEL)}
"""Every implementation, by its name in mpigen.yaml."""
