"""The programs of the image as they ship, and a folder that stands for / with a rendered site."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import sites
from tests.conftest import ROOT

ROOTFS = ROOT / "templates" / "rootfs"
BIN = ROOTFS / "usr/local/bin"


class Root:
    """A folder that stands for /: what a site renders into etc/, and what a test puts there.

    Programs are run, or loaded, from templates/ as they ship.
    """

    def __init__(self, folder: Path, text: str) -> None:
        self.folder = folder / "root"
        for path, file in sites.artifacts(folder, text).items():
            if path.startswith("rootfs/etc/"):
                self.write(path.removeprefix("rootfs/"), file.text)
        (self.folder / "run/mpi").mkdir(parents=True)

    def write(self, name: str, text: str) -> Path:
        """Write a file below this folder; a script may be executed."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if text.startswith("#!") else 0o644)
        return path

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def set(self, **values: object) -> None:
        """Change values of cluster.conf, which must be there."""
        text = self.read("etc/mpi/cluster.conf")
        for name, value in values.items():
            text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
            assert count == 1, name
        self.write("etc/mpi/cluster.conf", text)

    def env(self, **more: str) -> dict[str, str]:
        """The environment of programs: commands in bin/ go before those of the machine."""
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "MPIGEN_ROOT": str(self.folder), **more}

    def run(
        self, program: str, *words: str | Path, env: dict[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as a container does."""
        return subprocess.run(
            [BIN / program, *words],
            env=self.env(**(env or {})),
            capture_output=True,
            text=True,
            timeout=50,
            **options,
        )

    def load(
        self, program: str, code: str, *words: str | Path, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run Perl code with a program loaded, and not started."""
        return subprocess.run(
            ["perl", "-w", "-e", f"use strict; require shift; {code}", BIN / program, *words],
            env=self.env(**(env or {})),
            capture_output=True,
            text=True,
            timeout=50,
        )


MakeRoot = Callable[[str], Root]


@pytest.fixture
def make_root(tmp_path: Path) -> MakeRoot:
    """Makes the / of a site."""
    return lambda text: Root(tmp_path, text)


@pytest.fixture
def root(make_root: MakeRoot) -> Root:
    """The / of the smallest site."""
    return make_root("name: x\n")
