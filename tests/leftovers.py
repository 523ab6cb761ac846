"""What jobs have left on a lab's nodes, asked of each node's own engine."""

import os
import subprocess
import time

from mpigen.lab import lab

# of a worker that nobody uses: its init, and the sshd that waits
_IDLE = ("/sbin/docker-init ", "sshd: /usr/sbin/sshd -D", "/usr/sbin/sshd -D")
# the nodes have no ps, and the image has perl; zombies have no command line
_PROCESSES = r"""
for (glob '/proc/[0-9]*') {
    next if $_ eq "/proc/$$";
    open my $file, '<', "$_/cmdline" or next;
    my $words = do { local $/; <$file> } // next;
    print $words =~ tr/\0/ /r, "\n" if length $words;
}
"""


def _docker(node: lab.Node, *words: str) -> list[str]:
    env = {**os.environ, "DOCKER_HOST": f"unix://{node.socket}"}
    done = subprocess.run(["docker", *words], env=env, capture_output=True, text=True)
    return done.stdout.splitlines()


def found(the_lab: lab.Lab) -> list[str]:
    """Containers of jobs, ended ones too, and processes in workers that are not idle's."""
    left = []
    for node in the_lab.nodes:
        ours = ("ps", "--all", "--filter", "label=mpigen.job", "--format", "{{.Names}} {{.Status}}")
        left += [f"{node.name}: container {line}" for line in _docker(node, *ours)]
        tasks = ("ps", "--filter", "label=com.docker.swarm.task", "--format")
        for task in _docker(node, *tasks, '{{.ID}} {{.Label "mpigen.job"}}'):
            worker, _, job = task.partition(" ")
            if job:
                continue
            running = _docker(node, "exec", worker, "perl", "-e", _PROCESSES)
            if not any(line.startswith(_IDLE[1:]) for line in running):
                left.append(f"{node.name}: {worker} cannot be looked at: {running}")
            left += [
                f"{node.name}: process {line}" for line in running if not line.startswith(_IDLE)
            ]
    return left


def networks(the_lab: lab.Lab) -> dict[str, list[str]]:
    """The networks of each node, but for the bridge that Swarm makes when it first needs one."""
    named = ("network", "ls", "--format", "{{.Name}}")
    return {
        node.name: sorted({*_docker(node, *named)} - {"docker_gwbridge"}) for node in the_lab.nodes
    }


def assert_none(the_lab: lab.Lab, seconds: float = 30) -> None:
    """Nothing may be left. Looked at until nothing is: healthchecks log in to workers too."""
    deadline = time.monotonic() + seconds
    while (left := found(the_lab)) and time.monotonic() < deadline:
        time.sleep(0.3)
    assert not left, "left on the nodes:\n" + "\n".join(left)
