"""Every shell line that the documents show is run by a test, or says here why none can run it."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOCUMENTS = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
_FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)

# the test that runs a line, by the document and the line
_README = "tests/swarm/test_readme.py"
_WAYS = "tests/swarm/test_ways.py"
_JOBS = "tests/swarm/test_job_control.py"
_HERE = "tests/unit/test_documented.py"
RUN = {
    ("README.md", "make demo"): f"{_README}::test_the_demo_ends_with_every_rank_and_leaves_nothing",
    **{
        ("README.md", line): f"{_README}::test_the_way_of_ones_own_program"
        for line in (
            "mpigen render",
            "sh output/scripts/build.sh",
            "docker stack deploy -c output/stack.yml mpi",
            "sh output/scripts/run.sh hello",
            "mpigen verify",
            "sh output/scripts/status.sh",
            "sh output/scripts/down.sh",
        )
    },
    **{
        ("README.md", line): f"{_README}::test_the_way_of_the_verbs"
        for line in (
            "mpigen build",
            "mpigen deploy",
            "mpigen run -- hello",
            "mpigen run --detach --name nightly -- hello",
            "mpigen wait nightly",
            "mpigen logs nightly",
            "mpigen jobs",
            "mpigen status",
            "mpigen doctor",
            "mpigen down",
        )
    },
    **{
        ("README.md", line): f"{_README}::test_the_way_of_a_lab"
        for line in (
            "mpigen lab up --nodes 3",
            "mpigen lab status",
            "docker --context mpigen-lab node ls",
            "mpigen lab down",
        )
    },
    **{
        ("docs/operating.md", line): f"{_WAYS}::test_the_way_from_bare_servers_to_a_job"
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
    ("docs/operating.md", "mpigen run --detach --name heat -- --map-by node ./heat"): (
        "tests/unit/job/test_spec.py::test_a_job_is_called_after_its_program"
    ),
    **{
        ("docs/operating.md", line): f"{_JOBS}::{test}"
        for line, test in (
            ("mpigen logs heat --follow", "test_following_the_tail_tells_all_that_comes_once"),
            ("mpigen wait heat nightly", "test_several_jobs_are_awaited_at_once"),
            ("mpigen jobs --remove heat", "test_a_cancelled_job_keeps_its_log_until_it_is_removed"),
            ("mpigen cancel heat", "test_a_cancelled_job_keeps_its_log_until_it_is_removed"),
        )
    },
    ("docs/operating.md", "mpigen bench"): (
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
}
# why a line cannot be run by a test
NOT_HERE = {
    ("README.md", "make test"): "it is what runs this test",
    ("docs/operating.md", "sudo apt-get install docker.io"): (
        "it would install packages; `mpigen lab engine` does, where no engine answers"
    ),
    ("docs/operating.md", 'sudo usermod -aG docker "$USER"'): (
        "it would give a user of this machine more rights"
    ),
    (
        "docs/operating.md",
        "docker swarm init --advertise-addr ADDRESS_OF_ALPHA --data-path-addr ADDRESS_OF_ALPHA",
    ): "the address is the reader's; a lab makes its Swarm in the same way, by the engine's API",
}


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


def _block(document: str, start: str) -> str:
    (line,) = [line for line in lines(document) if line.startswith(start)]
    return line
