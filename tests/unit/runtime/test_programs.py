"""What all programs of the image have in common."""

import re
import subprocess

import pytest

from mpigen.mpi import IMPLEMENTATIONS
from tests import sites
from tests.unit.runtime.conftest import BIN, ROOTFS, MakeRoot, Root

PROGRAMS = sorted(BIN.iterdir())
SOURCES = [*PROGRAMS, ROOTFS / "usr/local/src/mpi-bench.c"]
PERL = [path for path in PROGRAMS if path.read_bytes().startswith(b"#!/usr/bin/perl")]
SHELL = [path for path in PROGRAMS if path.read_bytes().startswith(b"#!/bin/sh")]


def test_each_program_says_how_to_replace_it() -> None:
    assert len(PERL) == 4 and len(SHELL) == 4 and len(PROGRAMS) == 8
    for path in SOURCES:
        head = path.read_text(encoding="utf-8").splitlines()[:2]
        assert "mpigen copies this file as it is" in "".join(head), path
        assert path.suffix != ".j2"


@pytest.mark.parametrize("path", PERL, ids=lambda path: path.name)
def test_perl_is_loaded_without_being_started(root: Root, path: str) -> None:
    done = root.load(path.name, 'print main->can("main") ? "loaded" : "";')  # type: ignore[attr-defined]
    assert (done.stdout, done.stderr) == ("loaded", "")


def test_a_rank_loads_no_module() -> None:
    """Each rank waits for mpi-rank to start."""
    for line in (BIN / "mpi-rank").read_text(encoding="utf-8").splitlines():
        assert not re.match(r"\s*(use|require)\b(?! strict;)", line), line


@pytest.mark.parametrize("mpi", sorted(IMPLEMENTATIONS))
def test_every_value_that_a_program_reads_is_in_cluster_conf(make_root: MakeRoot, mpi: str) -> None:
    root = make_root(f"name: x\n{sites.mpi_section(mpi)}")
    given = dict(re.findall(r"(?m)^([\w.]+) = (.+)$", root.read("etc/mpi/cluster.conf")))
    # those that only one MPI has
    some = {"environment_file", "job_variable", "session_folder"}
    some |= {"hostfile_option", "options_of_one", "options_of_two"}
    for path in PROGRAMS:
        text = path.read_text(encoding="utf-8")
        names = {
            *re.findall(r"\$conf\{(\w+)\}", text),
            *re.findall(r'(?m)^    "(\w+) = "\*\)', text),
        }
        assert names <= set(given) | some, path
    lines = root.read("etc/mpi/cluster.conf").splitlines()
    assert all(line.startswith("# ") or re.match(r"[\w.]+ = \S", line) for line in lines)
    assert given["subnet"] == "10.77.0.0/24" and given["ssh_port"] == "2222"


def test_no_program_is_made_for_one_mpi(tmp_path_factory: pytest.TempPathFactory) -> None:
    """All MPIs get the same bytes; each has those programs alone that it needs."""
    made = {}
    for mpi in IMPLEMENTATIONS:
        text = f"name: x\nimage: {{bench: true}}\n{sites.mpi_section(mpi)}"
        files = sites.artifacts(tmp_path_factory.mktemp(mpi), text)
        made[mpi] = {p: f.text for p, f in files.items() if p.startswith("rootfs/usr/")}
    shipped = {
        path.relative_to(ROOTFS.parent).as_posix(): path.read_bytes().decode() for path in SOURCES
    }
    only = {f"rootfs/usr/local/bin/{name}" for name in ("mpi-daemon", "mpi-login")}
    assert made["openmpi"] == shipped
    others = {path: text for path, text in shipped.items() if path not in only}
    assert made["mpich"] == made["intel"] == others


def test_a_program_says_where_its_values_should_be(root: Root) -> None:
    (root.folder / "etc/mpi/cluster.conf").unlink()
    place = f"{root.folder}/etc/mpi/cluster.conf"
    for program in ("mpi-rank", "mpi-hostfile"):
        done = root.run(program, "true")
        assert done.returncode != 0
        assert done.stderr == f"{program}: {place}: No such file or directory\n"
    for program in ("mpi-entrypoint", "mpi-bench"):
        done = root.run(program)
        assert done.returncode != 0 and place in done.stderr


def test_a_health_check_is_a_login(root: Root) -> None:
    root.write("run/mpi/address", "10.77.0.3\n")
    root.write("bin/ssh", '#!/bin/sh\necho : "$@"\n')
    assert root.run("mpi-health").stdout == ": -n 10.77.0.3 true\n"


def test_logins_are_kept_where_mpirun_says_so(root: Root) -> None:
    root.write("bin/ssh", '#!/bin/sh\necho : "$@"\n')
    assert root.run("mpi-login", "host", "cmd", env={"MPI_KEEP": ""}).stdout == ": -x host cmd\n"
    done = root.run("mpi-login", "host", "cmd", env={"MPI_KEEP": "10"})
    control = f"ControlPath={root.folder}/run/mpi/login-%C"
    kept = f": -x -o ControlMaster=auto -o ControlPersist=10 -o {control} host cmd\n"
    assert done.stdout == kept


@pytest.mark.parametrize("mpi", sorted(IMPLEMENTATIONS))
def test_a_bench_has_one_rank_a_host_in_the_words_of_each_mpi(
    make_root: MakeRoot, mpi: str
) -> None:
    root = make_root(f"name: x\nimage: {{bench: true}}\n{sites.mpi_section(mpi)}")
    root.write(
        "bin/mpi-hostfile", f"#!/bin/sh\nprintf 'a\\nb\\n' > {root.folder}/run/mpi/hostfile\n"
    )
    root.write("bin/mpirun", '#!/bin/sh\nprintf "%s|" "$@"\n')
    words = [*IMPLEMENTATIONS[mpi].one_a_host, "-n", "2", "/usr/local/libexec/mpi-bench", "a=b *"]
    assert root.run("mpi-bench", "a=b *").stdout == "".join(f"{word}|" for word in words)


def test_the_linters_pass_the_programs_as_they_ship() -> None:
    for path in PERL:
        done = subprocess.run(["perl", "-wc", path], capture_output=True, text=True)
        assert done.stderr == f"{path} syntax OK\n"
