"""Pi by the midpoint rule, every rank a part of the sum; wrong if the ranks do not talk."""

import math
import os
import sys

import numpy as np
from mpi4py import MPI

STEPS = 1_000_000

world = MPI.COMM_WORLD
x = (np.arange(world.rank, STEPS, world.size) + 0.5) / STEPS
part = np.array([np.sum(4 / (1 + x * x)) / STEPS])
total = np.empty(1)
world.Allreduce(part, total)
print(f"Size: {world.size}, Rank: {world.rank}, Host: {os.uname().nodename}", flush=True)
if world.rank == 0:
    print(f"pi is {total[0]:.10f}")
if abs(total[0] - math.pi) > 1e-10:
    sys.exit(f"pi is not {total[0]}")
