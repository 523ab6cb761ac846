"""Sections of mpigen.yaml that define the image's content."""

from typing import Literal

from pydantic import Field

from mpigen.config.section import Section
from mpigen.config.types import (
    AptMirror,
    Command,
    CommandLine,
    EngineUrl,
    EnvName,
    EnvValue,
    ImagePath,
    ImageReference,
    NodeName,
    Package,
    Platform,
    PythonPackage,
    SiteFile,
    SiteFolder,
    StrictBool,
)

VENV = "/opt/venv"
"""The virtual environment in the image, with the packages of `app.python`."""


class Image(Section):
    """The image that every container runs."""

    base: ImageReference = Field(
        "debian:trixie-slim",
        description="Debian or Ubuntu base image. Its release determines the MPI version.",
    )
    mpi: Literal["install", "present"] = Field(
        "install",
        description="`present`: the base image has the MPI, in /usr or in mpi.prefix.",
    )
    package_manager: Literal["apt", "dnf", "zypper", "apk"] | None = Field(
        None,
        description="Package manager of the base image. Default: by its name, else apt.",
        examples=["apt"],
    )
    tag: ImageReference | None = Field(
        None,
        description="Image name. Default: NAME:latest.",
        examples=["registry.example.org/team/solver:1"],
    )
    platforms: list[Platform] = Field(
        [],
        description="Processors of the servers. Default: that of the engine that builds.",
        examples=[["linux/amd64", "linux/arm64"]],
    )
    distribute: Literal["load", "registry"] = Field(
        "load",
        description="`load` copies the image to each server; with `registry` servers pull it.",
    )
    endpoints: dict[NodeName, EngineUrl] = Field(
        {},
        description="With `load`: Docker endpoint of each server, by host name.",
        examples=[{"server2": "ssh://admin@server2"}],
        json_schema_extra={"additionalProperties": False},
    )
    packages: list[Package] = Field(
        [],
        description="The distribution's packages to install in the image.",
        examples=[["gdb", "hwloc"], ["libfftw3-double3=3.3.10-2+b1"]],
    )
    gpu_runtimes: StrictBool = Field(
        False,
        description="Install the GPU runtimes that MPI packages depend on, such as AMD HIP.",
        examples=[True],
    )
    build_packages: list[Package] = Field(
        [],
        description="The distribution's packages for the build stage only.",
        examples=[["gfortran", "libfftw3-dev"]],
    )
    build_env: dict[EnvName, EnvValue] = Field(
        {},
        description="Environment variables for the build stage only, such as mirrors.",
        examples=[{"PIP_INDEX_URL": "https://pypi.example.org/simple"}],
        json_schema_extra={"additionalProperties": False},
    )
    apt_mirror: AptMirror | None = Field(
        None,
        description="Package mirror to use during the build.",
        examples=["http://mirror.example.edu"],
    )
    ca: SiteFile | None = Field(
        None,
        description="CA certificates (PEM) that the build stage trusts, next to mpigen.yaml.",
        examples=["ca.pem"],
    )
    bench: StrictBool = Field(
        False,
        description="Include mpi-bench, which `mpigen bench` runs.",
        examples=[True],
    )


class App(Section):
    """The MPI program to build into the image."""

    source: SiteFolder = Field(
        description="Folder with the sources, next to mpigen.yaml; `.` is the folder it is in.",
        examples=["app", "src/solver"],
    )
    build: Command | None = Field(
        None,
        description="Installs programs into $BINDIR. Default: make install; none with python.",
        examples=["make install"],
    )
    python: list[PythonPackage] = Field(
        [],
        description="Python packages, as in pip. Jobs start in the folder of the sources.",
        examples=[["mpi4py", "numpy"]],
    )
    bin: ImagePath = Field(
        "/opt/app/bin", description="$BINDIR: the folder of the programs in the image, on PATH."
    )
    check: CommandLine | None = Field(
        None,
        description="Test command, run by every rank. Exits 0 if the cluster works.",
        examples=["hello"],
    )
