"""MPI implementations: what differs between them, one file each; here is the registry."""

from mpigen.mpi.base import Implementation
from mpigen.mpi.mpich import MPICH
from mpigen.mpi.openmpi import OPENMPI

IMPLEMENTATIONS: dict[str, Implementation] = {each.name: each for each in (OPENMPI, MPICH)}
"""Every implementation by its name in mpigen.yaml."""
