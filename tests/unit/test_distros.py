"""Base images: known releases, and what is rendered for each."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mpigen.distros import RELEASES, Release, release_of
from mpigen.mpi import IMPLEMENTATIONS
from mpigen.package_managers import APT
from tests.conftest import Mpigen


def _output(folder: Path, mpigen: Mpigen, text: str) -> Path:
    (folder / "mpigen.yaml").write_text(text)
    done = mpigen("render", "-c", str(folder / "mpigen.yaml"))
    assert done.code == 0, done.err
    return folder / "output"


@pytest.mark.parametrize(
    ("base", "release"),
    [
        ("debian:trixie-slim", "Debian 13"),
        ("docker.io/library/debian:12.5", "Debian 12"),
        ("mirror.example.org:5000/debian:bookworm-20240101-slim", "Debian 12"),
        ("ubuntu:24.04", "Ubuntu 24.04"),
        ("ubuntu:noble@sha256:" + "0" * 64, "Ubuntu 24.04"),
        ("example.org/our-debian:trixie", None),
        ("debian:sid", None),
        ("nvidia/cuda:12.2-ubuntu22.04", None),
    ],
)
def test_a_release_is_known_by_its_images_name(base: str, release: str | None) -> None:
    found = release_of(base)
    assert (found.name if found else None) == release


IMAGES = {
    "Debian 12": "debian:bookworm-slim",
    "Debian 13": "debian:trixie-slim",
    "Debian 14": "debian:forky-slim",
    "Ubuntu 22.04": "ubuntu:22.04",
    "Ubuntu 24.04": "ubuntu:24.04",
}


# all that a base could make a difference to
ON_A_BASE = """\
name: x
image: {{base: "{image}", packages: [gdb], build_packages: [gfortran], apt_mirror: "http://m:80/x"}}
mpi: {{implementation: {mpi}}}
app: {{source: app, build: make install, python: [mpi4py], check: hello}}
launcher: {{}}
storage: [{{target: /data, source: data}}]
ssh: {{delivery: {delivery}}}
"""


# of both forms, and one that is not the distribution's
SOURCES = """\
deb http://deb.debian.org/debian trixie main
URIs: http://deb.debian.org/debian-security
deb [arch=amd64] https://security.debian.org/debian-security trixie-security main
deb http://archive.ubuntu.com/ubuntu noble main
URIs: http://security.ubuntu.com/ubuntu/
URIs: http://ports.ubuntu.com/ubuntu-ports/
deb https://packages.example.org/debian trixie main
"""


@pytest.mark.parametrize("delivery", ["image", "secret"])
@pytest.mark.parametrize("mpi", sorted(IMPLEMENTATIONS))
@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_each_release_is_rendered_and_passes_the_linters_or_is_refused(
    release: Release, mpi: str, delivery: str, tmp_path: Path, mpigen: Mpigen
) -> None:
    image = IMAGES[release.name]
    assert release_of(image) == release
    (tmp_path / "app").mkdir()
    text = ON_A_BASE.format(image=image, mpi=mpi, delivery=delivery)
    if why := release.broken.get(mpi) or (mpi not in release.versions and "set mpi.version"):
        (tmp_path / "mpigen.yaml").write_text(text)
        refused = mpigen("render", "-c", str(tmp_path / "mpigen.yaml"))
        assert refused.code == 2 and why in refused.err
        assert not (tmp_path / "output").exists()
        return
    output = _output(tmp_path, mpigen, text)
    dockerfile = output / "Dockerfile"
    assert re.findall(r"^FROM (\S+)", dockerfile.read_text(), re.M) == [image, image]
    (rule,) = {*re.findall(r"sed -i -E .\s+'(.*)' ", dockerfile.read_text())}
    assert dockerfile.read_text().count(rule) == 2
    done = subprocess.run(["sed", "-E", rule], input=SOURCES, capture_output=True, text=True)
    assert done.stdout == re.sub(r"(?m)http.*(debian.org|ubuntu.com)/", "http://m:80/x/", SOURCES)
    assert "http://m:80/x/ubuntu noble main" in done.stdout
    packages = set(dockerfile.read_text().split())
    wanted = IMPLEMENTATIONS[mpi].packages["apt"]
    assert packages >= {*wanted.runtime, *wanted.build, *APT.compilers, *APT.needed}
    texts = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    shell = [path for path, data in texts.items() if data.startswith(b"#!/bin/sh")]
    perl = [path for path, data in texts.items() if data.startswith(b"#!/usr/bin/perl")]
    daemons = mpi == "openmpi"
    assert len(shell) > 5 and len(perl) == 3 + daemons
    for linter, files in (("hadolint", [dockerfile]), ("shellcheck", shell)):
        command = [Path(sys.executable).with_name(linter), *files]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    for script in perl:
        done = subprocess.run(["perl", "-wc", script], capture_output=True, text=True)
        assert done.stderr == f"{script} syntax OK\n"


@pytest.mark.parametrize(
    ("base", "mpi", "claims"),
    [
        ("debian:trixie-slim", "openmpi", "libamdhip64-5 (= 5.7.1-6+deb13u1), libhwloc-plugins"),
        ("debian:trixie-slim", "mpich", "libamdhip64-5 (= 5.7.1-6+deb13u1)"),
        ("debian:bookworm-slim", "openmpi", "libhwloc-plugins"),
        ("registry.example.org/own:1", "openmpi", None),
    ],
)
def test_gpu_runtimes_are_left_out_unless_asked_for(
    base: str, mpi: str, claims: str | None, tmp_path: Path, mpigen: Mpigen
) -> None:
    text = f"name: x\nmpi: {{implementation: {mpi}}}\nimage: {{base: '{base}'"
    dockerfile = (_output(tmp_path, mpigen, text + "}\n") / "Dockerfile").read_text()
    assert re.findall(r"'Provides: (.*)'", dockerfile) == ([claims] if claims else [])
    # before apt chooses what to install; and what MPI alone asks for must not come by itself
    before, _, after = dockerfile.partition("RUN apt-get update")
    assert "Provides" not in after and ("dpkg --install" in before) is bool(claims)
    for claim in claims.split(", ") if claims else []:
        package = claim.split()[0]
        assert after.count(f"grep -w {package} ") == after.count(f"recommends {package};") == 1
    asked = _output(tmp_path, mpigen, text + ", gpu_runtimes: true}\n") / "Dockerfile"
    assert "Provides" not in asked.read_text() and "dpkg" not in asked.read_text()


def test_only_a_package_that_is_not_mpis_brings_the_gpu_runtimes_back(
    tmp_path: Path, mpigen: Mpigen
) -> None:
    dockerfile = (_output(tmp_path, mpigen, "name: x\n") / "Dockerfile").read_text()
    (condition,) = re.findall(r"if dpkg-query (.*? libamdhip64-5 .*?); then", dockerfile, re.S)
    for installed, brings in (
        ("libucx0 libc6, libamdhip64-5 (>= 4.5.2)\nmpigen-unloaded ", False),
        ("libucx0 libamdhip64-5 (>= 4.5.2)\nlibrocblas0 libamdhip64-5 (>= 5.2.3)", True),
        ("libucx0-more libamdhip64-5\n", True),
        ("other libamdhip64-50, notlibamdhip64-5\n", False),
    ):
        shell = f"query() {{ printf '%s\\n' '{installed}'; }}\nquery {condition}"
        assert (subprocess.run(["sh", "-c", shell]).returncode == 0) is brings, installed
