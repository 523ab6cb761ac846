"""The upper bounds of mpigen.yaml's values: far above what a cluster needs, far below overflows.

The loader and the schema for editors both hold them.
"""

LINE = 4096
"""The most characters of a line of text; PATH_MAX is as long (linux/limits.h)."""
COMMANDS = 65_536
"""The most characters of shell commands."""
CPUS = 8192
"""Linux runs on no more CPUs: NR_CPUS (arch/x86/Kconfig)."""
SLOTS = 65_536
"""The most ranks of a container: eight per CPU."""
REPLICAS = 100_000
"""The most containers of a group; the largest Swarms that were reported have some thousands."""
RESOURCES = 1_000_000
"""The most generic resources of one kind that a container takes."""
BYTES = 2**50
"""The largest memory, in bytes: 1 PiB."""
GROUPS = 256
"""The most groups of workers, each of which is a Swarm service."""
STORAGE = 256
"""The most folders that are mounted."""
NUMBER = 2**63
"""Docker reads whole numbers of 64 bits: the first that is too large."""
