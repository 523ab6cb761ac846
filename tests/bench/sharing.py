"""A folder of this machine in each node of a lab, as if the servers shared it by NFS."""

import ctypes
import os
import subprocess
from pathlib import Path

from mpigen.errors import ClusterError
from mpigen.lab import engine, lab

SHARED = "/srv/shared"
# Linux, include/uapi/linux/mount.h, and the numbers of its system calls
OPEN_TREE, MOVE_MOUNT, OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = 428, 429, 1, 4


def share(node: lab.Node, folder: Path) -> None:
    """Mount a folder of this machine at SHARED in a node's container. Needs root."""
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    docker = ("docker", "--host", engine.local_endpoint().url)
    inspect = (*docker, "inspect", "--format", "{{.State.Pid}}", node.container_id)
    process = subprocess.run(inspect, check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run((*docker, "exec", node.container_id, "mkdir", "-p", SHARED), check=True)
    tree = syscall(OPEN_TREE, -100, bytes(folder), OPEN_TREE_CLONE)
    child = os.fork()
    if child == 0:
        namespace = os.open(f"/proc/{process}/ns/mnt", os.O_RDONLY)
        failed = ctypes.CDLL(None).setns(namespace, 0) or syscall(
            MOVE_MOUNT, tree, b"", -100, SHARED.encode(), MOVE_MOUNT_F_EMPTY_PATH
        )
        os._exit(1 if failed else 0)
    os.close(tree)
    if os.waitpid(child, 0)[1]:
        raise ClusterError(f"{node.name}: {folder} was not mounted", "This needs root.")
