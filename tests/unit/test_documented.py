"""Every shell line that the documents show is run by a test, or says here why none can run it."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOCUMENTS = [
    path.relative_to(ROOT).as_posix()
    for pattern in ("README.md", "docs/*.md", "examples/README.md", "examples/*/README.md")
    for path in sorted(ROOT.glob(pattern))
]
_FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def lines(document: str) -> list[str]:
    """The shell lines in the fenced blocks of a document, without prompts and comments."""
    found = []
    for language, body in _FENCED.findall((ROOT / document).read_text("utf-8")):
        for line in body.splitlines():
            if language in ("sh", "bash", "shell"):
                found.append(line)
            elif line.startswith("$ "):
                found.append(line.removeprefix("$ "))
    bare = (re.sub(r"\s+# .*", "", line).strip() for line in found)
    return [line for line in bare if line]


# the test that runs a line, by the document and the line
_README = "tests/swarm/test_readme.py"
_WALK = "tests/swarm/test_first_half_hour.py::test_from_a_clone_to_results"
_WAYS = "tests/swarm/test_ways.py"
_JOBS = "tests/swarm/test_job_control.py"
_FILES = "tests/swarm/test_files.py"
_HERE = "tests/unit/test_documented.py"
_EXAMPLES = "tests/matrix/test_examples.py"
RUN = {
    **{("README.md", line): _WALK for line in lines("README.md")},
    **{
        ("docs/servers.md", line): f"{_WAYS}::test_the_way_from_bare_servers_to_a_job"
        for line in (
            "docker context create alpha --docker host=ssh://you@alpha",
            "mpigen init mycluster && cd mycluster",
            "mpigen render",
            "mpigen build",
            "mpigen doctor --context alpha",
            "mpigen deploy --context alpha",
            "mpigen run --context alpha -- hello",
        )
    },
    ("docs/jobs.md", "mpigen run --detach --name heat -- --map-by node ./heat"): (
        "tests/unit/job/test_spec.py::test_a_job_is_called_after_its_program"
    ),
    **{
        ("docs/jobs.md", line): f"{_JOBS}::{test}"
        for line, test in (
            ("mpigen logs heat --follow", "test_following_the_tail_tells_all_that_comes_once"),
            ("mpigen wait heat nightly", "test_several_jobs_are_awaited_at_once"),
            ("mpigen jobs --remove heat", "test_a_cancelled_job_keeps_its_log_until_it_is_removed"),
            ("mpigen cancel heat", "test_a_cancelled_job_keeps_its_log_until_it_is_removed"),
            ("mpigen jobs --all", "test_who_has_the_slots_is_told"),
        )
    },
    **{
        ("docs/files.md", line): f"{_FILES}::{test}"
        for line, test in (
            ("mpigen push mesh.dat cases", "test_a_folder_of_data_is_on_every_host"),
            (
                "mpigen run --fetch 'result*.csv' -- ./solve",
                "test_what_a_job_has_written_is_fetched",
            ),
            ("mpigen pull result.csv", "test_an_interrupt_and_a_full_disk_leave_nothing"),
            (
                "mpigen pull --from worker-3 'out/*.csv' results/",
                "test_a_file_of_each_host_and_a_folder_with_equal_hashes",
            ),
            (
                "mpigen pull --all solve.log logs/",
                "test_a_file_of_each_host_and_a_folder_with_equal_hashes",
            ),
            ("mpigen verify -k shared_storage", "test_storage_that_is_not_shared_is_told"),
            ("mpigen doctor", "test_storage_that_is_not_shared_is_told"),
        )
    },
    ("docs/jobs.md", "mpigen run --detach --retries 3 --name sum -- checkpoint 600"): (
        "tests/faults/test_retries.py::test_a_job_whose_own_node_is_lost_runs_again"
    ),
    ("docs/bench.md", "mpigen bench"): (
        "tests/swarm/test_bench.py::test_every_pair_and_collective_is_measured"
    ),
    **{
        ("docs/security.md", line): f"{_HERE}::test_the_lines_of_a_site_without_docker"
        for line in ("mpigen keys status", "mpigen keys export ../old-keys", "mpigen keys rotate")
    },
    ("docs/committing.md", "mpigen render --check"): (
        f"{_HERE}::test_the_lines_of_a_site_without_docker"
    ),
    **{
        ("docs/customising.md", line): f"{_HERE}::test_the_lines_of_a_site_without_docker"
        for line in (
            "mpigen render -c mpigen.yaml -c production.yaml -o production",
            "mpigen templates show stack.yml --blocks",
        )
    },
    **{
        (f"examples/{name}/README.md", line): test
        for name, job, own in (
            (
                "checkpoint",
                "--detach --retries 3 --name sum -- checkpoint 600",
                "tests/faults/test_retries.py::test_a_job_whose_own_node_is_lost_runs_again",
            ),
            ("python", "-- python pi.py", "test_python_finds_its_script_and_its_packages"),
            ("fortran", "-- ring", "test_fortran_has_its_threads"),
            (
                "lammps",
                "-- lmp -in /opt/app/bin/melt.in -log none",
                "test_lammps_and_netpipe_give_what_is_known",
            ),
            (
                "hpcc",
                "--fetch hpccoutf.txt -- hpcc",
                "test_hpc_challenge_gives_its_report_and_no_residual_is_too_large",
            ),
        )
        for line, test in (
            ("mpigen keys rotate", f"{_HERE}::test_the_lines_of_a_site_without_docker"),
            ("mpigen build", f"{_README}::test_every_day_by_mpigen"),
            ("mpigen deploy", f"{_README}::test_every_day_by_mpigen"),
            (f"mpigen run {job}", own if "::" in own else f"{_EXAMPLES}::{own}"),
            ("mpigen down", f"{_README}::test_every_day_by_mpigen"),
        )
    },
    **{
        ("examples/hpcc/README.md", line): (
            f"{_EXAMPLES}::test_hpc_challenge_gives_its_report_and_no_residual_is_too_large"
        )
        for line in (
            "mpigen push hpccinf.txt",
            "grep -E 'residual checks|Found' hpccoutf.txt",
        )
    },
    **{
        ("examples/university/README.md", line): f"{_HERE}::test_the_lines_of_the_university"
        for line in ("mpigen render --diff", "mpigen templates list")
    },
}
# why a line cannot be run by a test
NOT_HERE = {
    **{
        ("docs/files.md", line): "it sets up a file server, and the tests' machine has no NFS"
        for line in (
            "sudo apt-get install nfs-kernel-server",
            "sudo install -d -o 1000 -g 1000 /srv/mpi",
            "echo '/srv/mpi 192.0.2.0/24(rw,sync,no_subtree_check)' | sudo tee -a /etc/exports",
            "sudo exportfs -ra",
            "sudo apt-get install nfs-common",
        )
    },
    ("docs/servers.md", "sudo apt-get install docker.io"): (
        "it would install packages; `mpigen lab engine` does, where no engine answers"
    ),
    ("docs/servers.md", 'sudo usermod -aG docker "$USER"'): (
        "it would give a user of this machine more rights"
    ),
    (
        "docs/servers.md",
        "docker swarm init --advertise-addr ADDRESS_OF_ALPHA --data-path-addr ADDRESS_OF_ALPHA",
    ): "the address is the reader's; a lab makes its Swarm in the same way, by the engine's API",
}


def test_each_line_is_run_by_a_test_or_says_why_not() -> None:
    shown = {(document, line) for document in DOCUMENTS for line in lines(document)}
    assert len(shown) > 30
    assert shown - {*RUN, *NOT_HERE} == set(), "say in RUN which test runs it, or why none can"
    assert {*RUN, *NOT_HERE} - shown == set(), "no document shows this any more"
    assert set(RUN) & set(NOT_HERE) == set()


@pytest.mark.parametrize("test", sorted(set(RUN.values())))
def test_the_test_that_is_named_is_there(test: str) -> None:
    file, _, name = test.partition("::")
    assert f"\ndef {name}(" in (ROOT / file).read_text("utf-8")


def test_the_lines_of_a_site_without_docker(tmp_path: Path) -> None:
    """Run as they are shown, in a new site."""
    site = tmp_path / "site"
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"

    def shell(script: str) -> str:
        done = subprocess.run(
            ["sh", "-ec", script],
            cwd=site if site.exists() else tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    shell("mpigen init site && cd site && mpigen render")
    assert shell(_block("docs/committing.md", "mpigen render --check")) != ""
    (site / "production.yaml").write_text("ssh: {port: 2223}\n")
    shell(_block("docs/customising.md", "mpigen render -c"))
    assert (site / "production" / "stack.yml").exists()
    assert "service" in shell(_block("docs/customising.md", "mpigen templates show"))
    before = (site / "output/keys/id_ed25519").read_bytes()
    shell("\n".join(lines("docs/security.md")))
    assert (tmp_path / "old-keys" / "id_ed25519").read_bytes() == before
    assert (site / "output/keys/id_ed25519").read_bytes() != before


def test_the_lines_of_the_university() -> None:
    """Run as they are shown, in the example itself: neither writes anything."""
    document = "examples/university/README.md"
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    printed = [
        subprocess.check_output(
            ["sh", "-ec", line],
            cwd=ROOT / "examples/university",
            env={**os.environ, "PATH": path},
            text=True,
        )
        for line in lines(document)
    ]
    assert printed[0] == ""
    listed = dict(re.findall(r"^(\S+) +\w+ +(overridden|added)\b", printed[1], re.M))
    assert listed == {
        "Dockerfile": "overridden",
        "rootfs/etc/mpi/sshd_config": "overridden",
        "rootfs/etc/motd": "added",
    }


def test_each_link_between_the_documents_leads_somewhere() -> None:
    """Files are there, and so are the headings that a link names."""
    dead = []
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)\s]+)\)", (ROOT / document).read_text("utf-8")):
            if "://" in target:
                continue
            name, _, anchor = target.partition("#")
            file = (ROOT / document).parent / name if name else ROOT / document
            if not file.exists() or (anchor and anchor not in _anchors(file)):
                dead.append((document, target))
    assert dead == []


def _anchors(file: Path) -> list[str]:
    """The headings of a document, as GitHub turns them into anchors."""
    headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.M)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def _block(document: str, start: str) -> str:
    (line,) = [line for line in lines(document) if line.startswith(start)]
    return line
