"""What a report says of the settings that it was measured with."""

from dataclasses import replace
from pathlib import Path

import pytest

from mpigen.artifacts import folder
from mpigen.bench import measure
from tests import benches
from tests.conftest import ROOT

MADE = benches.results(["node-1", "node-2"])


def settings(version: str) -> dict[str, str]:
    here = folder.read(ROOT / "output")
    return measure._settings(here, replace(MADE, mpi=f"Open MPI v{version}, package: Debian"))


def test_values_that_a_container_fills_in_are_told_as_it_does() -> None:
    for version in ("4.1.4", "5.0.7"):
        found = settings(version)
        assert not [value for value in found.values() if "@" in value]
        assert found["btl_tcp_if_include"] == "eth0"
        assert found["subnet"] == "10.77.0.0/24"


def test_the_interfaces_of_hosts_may_differ() -> None:
    hosts = (MADE.hosts[0], replace(MADE.hosts[1], interface="eth1"))
    found = measure._settings(folder.read(ROOT / "output"), replace(MADE, hosts=hosts))
    assert found["btl_tcp_if_include"] == "the overlay's"


@pytest.mark.parametrize(
    ("version", "taken", "ignored"),
    [
        (
            "4.1.4",
            {"orte_launch_agent", "hwloc_base_binding_policy", "io_romio321_priority"},
            {"prte_launch_agent", "io_romio341_priority"},
        ),
        (
            "5.0.7",
            {"prte_launch_agent", "io_romio341_priority"},
            {"orte_launch_agent", "hwloc_base_binding_policy", "prte_keepalive_time"},
        ),
    ],
)
def test_a_report_has_the_parameters_that_its_mpi_takes(
    version: str, taken: set[str], ignored: set[str]
) -> None:
    found = set(settings(version))
    assert taken | {"btl_tcp_eager_limit", "oob_tcp_keepalive_time"} <= found
    # OpenSHMEM's are taken by no bench
    assert not (ignored | {"spml", "scoll", "atomic"}) & found


def test_open_mpi_6_has_new_names_for_keepalive_and_no_romio() -> None:
    found = set(settings("6.0.0rc2"))
    assert {"prte_keepalive_time", "prte_launch_agent", "btl_tcp_eager_limit"} <= found
    assert not [name for name in found if name.startswith(("oob_", "orte_", "io_romio"))]


def test_other_mpis_have_their_own_file(tmp_path: Path) -> None:
    params = tmp_path / "rootfs/etc/mpi"
    params.mkdir(parents=True)
    (params / "mpich-params.conf").write_text("# a comment = none\nHYDRA_IFACE = @interface@\n")
    here = folder.read(ROOT / "output")._replace(folder=tmp_path, mpi="mpich")
    found = measure._settings(here, replace(MADE, mpi="MPICH Version: 4.2.1"))
    assert found == {"subnet": "10.77.0.0/24", "HYDRA_IFACE": "eth0"}
