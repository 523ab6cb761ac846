"""Rank 1 spawns one more rank."""

from mpi4py import MPI

parent = MPI.Comm.Get_parent()
if parent != MPI.COMM_NULL:
    parent.Disconnect()
else:
    world = MPI.COMM_WORLD
    if world.rank == 1:
        child = MPI.COMM_SELF.Spawn("python", [__file__], maxprocs=1)
        child.Disconnect()
        print("spawned by rank 1 on", MPI.Get_processor_name(), flush=True)
    world.Barrier()
