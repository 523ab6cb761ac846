"""Settings that work, and that a render warns of."""

from pathlib import Path

import pytest

from tests import sites


@pytest.mark.parametrize(
    ("workers", "warnings"),
    [
        (
            "{cpus: 4, threads: 8}",
            ["workers[0]: 1 slot of 8 threads needs 8 CPUs, and cpus is 4"],
        ),
        (
            "{cpus: 4, slots: 3, threads: 2}",
            ["workers[0]: 3 slots of 2 threads need 6 CPUs, and cpus is 4"],
        ),
        ("{cpus: 1.5, slots: 3}", ["workers[0]: 3 slots need 3 CPUs, and cpus is 1.5"]),
        ("{cpus: 4, threads: 3}", []),
        ("{cpus: 4, slots: 2, threads: 2}", []),
        ("{cpus: 0.5}", []),
        ("{cpus: 0.5, threads: 1}", []),
        ("{slots: 4, threads: 8}", []),
        (
            "{cpus: 2}, {name: b, cpus: 2, threads: 4}",
            ["workers[1]: 1 slot of 4 threads needs 4 CPUs, and cpus is 2"],
        ),
    ],
)
def test_ranks_and_threads_without_a_cpu_each(
    workers: str, warnings: list[str], tmp_path: Path
) -> None:
    assert list(sites.rendered(tmp_path, f"name: x\nworkers: [{workers}]\n").warnings) == warnings


def test_endpoints_that_a_registry_leaves_unused(tmp_path: Path) -> None:
    text = "name: x\nimage: {{tag: r.example.org/x, distribute: {}, endpoints: {{a: ssh://a}}}}\n"
    (warning,) = sites.rendered(tmp_path, text.format("registry")).warnings
    assert warning == "image.endpoints is not used with distribute: registry"
    assert sites.rendered(tmp_path, text.format("load")).warnings == ()


@pytest.mark.parametrize(
    ("mpi", "assumed"),
    [
        (
            "openmpi",
            "apt with its usual package names, and an MPI in /usr that reads "
            "/etc/openmpi/openmpi-mca-params.conf and /etc/openmpi/prte-mca-params.conf and "
            "/etc/prrte/prte-mca-params.conf",
        ),
        ("mpich", "apt with its usual package names, and an MPI in /usr"),
    ],
)
def test_what_is_assumed_of_a_base_that_is_not_known(
    mpi: str, assumed: str, tmp_path: Path
) -> None:
    text = f"name: x\nmpi: {{implementation: {mpi}}}\nimage: {{base: 'site/os:1'}}\n"
    rendered = sites.rendered(tmp_path, text)
    assert rendered.warnings == (
        f"image.base: mpigen does not know site/os:1 and assumes {assumed}; "
        "mpigen deploy tries one rank on each host",
    )
    assert '"untried": true' in rendered.files["manifest.json"].text
    known = sites.rendered(tmp_path, "name: x\nimage: {base: 'mirror.example.org/debian:13'}\n")
    assert known.warnings == ()
    assert "untried" not in known.files["manifest.json"].text
    own = "name: x\nmpi: {prefix: /opt/ompi}\nimage: {base: 'debian:13'}\n"
    (warning,) = sites.rendered(tmp_path, own).warnings
    assert (
        "does not know the MPI of debian:13 and assumes an MPI in /opt/ompi that reads" in warning
    )
