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
        description="Base image, Debian or Ubuntu; its release brings the MPI version.",
    )
    tag: ImageReference | None = Field(
        None,
        description="The image's name; default NAME:latest.",
        examples=["registry.example.org/team/solver:1"],
    )
    distribute: Literal["load", "registry"] = Field(
        "load",
        description="How nodes get it: loaded into each engine, or pushed and pulled.",
    )
    endpoints: dict[NodeName, EngineUrl] = Field(
        {},
        description="With `load`: each node's Docker endpoint, by the node's host name.",
        examples=[{"server2": "ssh://admin@server2"}],
        json_schema_extra={"additionalProperties": False},
    )
    packages: list[Package] = Field(
        [],
        description="Packages for the runtime image.",
        examples=[["gdb", "hwloc"], ["libfftw3-double3=3.3.10-2+b1"]],
    )
    gpu_runtimes: StrictBool = Field(
        False,
        description="Whether GPU runtimes that MPI's packages ask for are installed, as AMD's HIP.",
        examples=[True],
    )
    build_packages: list[Package] = Field(
        [],
        description="Packages for the build stage alone.",
        examples=[["gfortran", "libfftw3-dev"]],
    )
    build_env: dict[EnvName, EnvValue] = Field(
        {},
        description="Environment of the build stage alone, for mirrors and such.",
        examples=[{"PIP_INDEX_URL": "https://pypi.example.org/simple"}],
        json_schema_extra={"additionalProperties": False},
    )
    apt_mirror: AptMirror | None = Field(
        None,
        description="Server in place of Debian's or Ubuntu's own, while packages are installed.",
        examples=["http://mirror.example.edu"],
    )
    ca: SiteFile | None = Field(
        None,
        description="Certificates (PEM) that the build stage trusts, beside mpigen.yaml.",
        examples=["ca.pem"],
    )
    bench: StrictBool = Field(
        False,
        description="Whether it has mpi-bench, which `mpigen bench` runs.",
        examples=[True],
    )


class App(Section):
    """The MPI program that goes into the image."""

    source: SiteFolder = Field(
        description="Folder with the sources, beside mpigen.yaml.", examples=["app", "src/solver"]
    )
    build: Command | None = Field(
        None,
        description="Puts programs into $BINDIR; default make install, or nothing with python.",
        examples=["make install"],
    )
    python: list[PythonPackage] = Field(
        [],
        description="Python packages, as pip names them; the sources are where jobs start.",
        examples=[["mpi4py", "numpy"]],
    )
    bin: ImagePath = Field("/opt/app/bin", description="$BINDIR: in the image, and on PATH.")
    check: CommandLine | None = Field(
        None,
        description="Command for every rank that exits 0 if the cluster is right.",
        examples=["hello"],
    )
