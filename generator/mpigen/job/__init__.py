"""MPI jobs: what to run and where, in the foreground or as a batch job."""
