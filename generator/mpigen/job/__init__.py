"""MPI jobs, in the foreground and as batch jobs: start, follow, list and end them."""
