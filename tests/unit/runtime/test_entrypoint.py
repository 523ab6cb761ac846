"""mpi-entrypoint, with an overlay and an sshd of ours."""

import os
import resource
import shlex
import socket

import pytest

from tests.unit.runtime.conftest import MakeRoot, Root

IP = """\
#!/bin/sh
case $* in
*"to 10.77.0.0/24") [ -z "$ALONE" ] && echo "7: eth1    inet 10.77.0.5/24 brd 10.77.0.255" ;;
*) echo "3: eth0    inet 172.18.0.4/16 scope global" ;;
esac
exit 0
"""
KEYGEN = """\
#!/bin/sh
echo "# Host [10.77.0.5]:2222 found: line 2"
echo "$2 ssh-ed25519 THEKEY"
"""
SSHD = """\
#!/bin/sh
[ "$1" != -t ] || exit "$OLD"
printf '%s\\n' "$@"
"""
BEGIN = ("mpi-entrypoint", "sh", "-c", "echo begun")


def prepared(root: Root) -> Root:
    """With commands that say what a container would see."""
    root.write("bin/ip", IP)
    root.write("bin/ssh-keygen", KEYGEN)
    root.write("usr/sbin/sshd", SSHD)
    return root


def test_a_container_without_the_overlay_does_not_start(root: Root) -> None:
    done = prepared(root).run(*BEGIN, env={"ALONE": "1"})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "mpi-entrypoint: no interface has an address in 10.77.0.0/24, the cluster's overlay.",
        "mpi-entrypoint: there are: eth0 172.18.0.4/16  ",
        "mpi-entrypoint: attach the container to the stack's network, as scripts/run.sh does.",
    ]


@pytest.mark.parametrize("mpi", ["openmpi", "mpich"])
def test_mpi_is_told_the_overlays_interface(make_root: MakeRoot, mpi: str) -> None:
    root = prepared(make_root(f"name: x\nmpi: {{implementation: {mpi}}}\n"))
    done = root.run(*BEGIN, env={"ALONE": ""})
    assert (done.returncode, done.stdout, done.stderr) == (0, "begun\n", "")
    for name, text in (("address", "10.77.0.5"), ("interface", "eth1"), ("key", "THEKEY")):
        assert root.read(f"run/mpi/{name}") == f"{text}\n"
    rendered = sorted((root.folder / "etc/mpi").glob("*-params.conf"))
    assert len(rendered) == (2 if mpi == "openmpi" else 1)
    for file in rendered:
        lines = root.read(f"run/mpi/{file.name}").splitlines()
        assert len(lines) == len(file.read_text().splitlines())
        assert not any("@" in line for line in lines)
        assert any(line.endswith(" = eth1") for line in lines)


@pytest.mark.parametrize(("machine", "said"), [("x86_64", "cma"), ("other", "none")])
def test_open_mpi_4_is_told_whether_ranks_may_read_one_another(
    root: Root, machine: str, said: str
) -> None:
    if machine == "x86_64" and os.uname().machine != machine:
        pytest.skip("the number of the system call is another one here")
    prepared(root).write("bin/uname", f"#!/bin/sh\necho {machine}\n")
    assert root.run(*BEGIN, env={"ALONE": ""}).returncode == 0
    lines = root.read("run/mpi/openmpi-mca-params.conf").splitlines()
    assert f"btl_vader_single_copy_mechanism = {said}" in lines


def test_nobody_asks_where_the_site_says_how_ranks_copy(make_root: MakeRoot) -> None:
    root = make_root("name: x\nmpi: {params: {btl_vader_single_copy_mechanism: emulated}}\n")
    prepared(root).write("bin/perl", "#!/bin/sh\necho asked >&2\n")
    assert root.run(*BEGIN, env={"ALONE": ""}).stderr == ""


@pytest.mark.parametrize("old", ["0", "1"])
def test_a_worker_becomes_sshd_in_the_overlay_alone(root: Root, old: str) -> None:
    folder = root.folder / "tmp/ompi"
    root.set(session_folder=folder)
    own = {
        "ALONE": "",
        "OLD": old,
        "MPI_WAIT": "5",
        "MPI_HOME": "/opt/mpi",
        "ODD": 'a "b" \\ $c #d',
        "LINES": "a\nb",
    }
    done = prepared(root).run("mpi-entrypoint", "worker", env=own)
    exempt = [] if old == "1" else ["-o", "PerSourcePenaltyExemptList=10.77.0.0/24"]
    host = socket.gethostname()
    lines = done.stdout.splitlines()
    (environment,) = [line for line in lines if line.startswith("SetEnv ")]
    lines.remove(environment)
    assert lines == [
        *("-D", "-e", "-f", f"{root.folder}/etc/mpi/sshd_config"),
        *("-o", "ListenAddress=10.77.0.5", "-o", f"VersionAddendum={host} THEKEY", "-o"),
        *exempt,
    ]
    # as sshd reads it: the variables of image and service, without those of the process
    given = dict(word.split("=", 1) for word in shlex.split(environment)[1:])
    assert (given["ODD"], given["MPI_HOME"]) == (own["ODD"], own["MPI_HOME"])
    assert given["PATH"] == root.read("run/mpi/path").rstrip()
    assert given.keys().isdisjoint(("HOME", "LINES", "MPI_WAIT", "MPIGEN_ROOT", "PWD"))
    assert (folder.parent / f"ompi.{host}.{os.getuid()}/kept").is_dir()


@pytest.mark.parametrize(
    ("soft", "hard", "given"),
    [(64, 4096, 4096), (64, 1 << 20, 65536), (1 << 17, 1 << 18, 1 << 17), (64, 64, 64)],
)
def test_as_many_files_may_be_open_as_are_allowed(
    root: Root, soft: int, hard: int, given: int
) -> None:
    """Docker 29 gives containers 1,024, and each rank takes connections."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < hard:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        given, soft = min(given, hard), min(soft, hard)
    done = prepared(root).run(
        *BEGIN[:3],
        "ulimit -S -n; ulimit -H -n",
        env={"ALONE": ""},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
    )
    assert done.stdout.split() == [str(given), str(hard)], done.stderr


@pytest.mark.parametrize(("command", "ignored"), [("mpirun", True), ("other", False)])
def test_a_signal_of_the_users_does_not_end_a_job_that_begins(
    root: Root, command: str, ignored: bool
) -> None:
    """Only mpirun takes over what is ignored until then."""
    prepared(root).write(f"bin/{command}", "#!/bin/sh\ngrep SigIgn /proc/self/status\n")
    done = root.run("mpi-entrypoint", command, env={"ALONE": ""})
    bits = 1 << 9 | 1 << 11  # SIGUSR1, SIGUSR2
    assert (int(done.stdout.split()[1], 16) & bits == bits) == ignored
    # and it does not end the container's first process itself
    root.write("bin/ip", f"#!/bin/sh\nkill -USR1 $PPID; kill -USR2 $PPID\n{IP}")
    assert (
        root.run("mpi-entrypoint", "sh", "-c", "echo begun", env={"ALONE": ""}).stdout == "begun\n"
    )
