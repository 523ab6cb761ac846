"""Count the values of a file's bytes, each rank those of its part: stats.py INPUT OUTPUT."""

import json
import sys
from pathlib import Path

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
source = Path(sys.argv[1])
size = source.stat().st_size
begin, end = (size * part // comm.size for part in (comm.rank, comm.rank + 1))
part = np.fromfile(source, np.uint8, count=end - begin, offset=begin)
counts = comm.allreduce(np.bincount(part, minlength=256))
if comm.rank == 0:
    mean = float(counts @ np.arange(256) / size)
    Path(sys.argv[2]).write_text(json.dumps({"bytes": size, "mean": mean}) + "\n")
    print(f"{size} bytes by {comm.size} ranks: {sys.argv[2]}")
