"""MPI implementations: what differs between them, one file each."""
