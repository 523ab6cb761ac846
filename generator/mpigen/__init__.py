"""mpigen: one YAML file describes an MPI cluster; `mpigen render` writes the Docker artifacts."""

__version__ = "0.1.0"
