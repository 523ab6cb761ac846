"""The files of a project, read with bounds, and the plan that is made from them."""

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mpigen.errors import InputError
from mpigen.untrusted.reading import MEBIBYTE, read_bytes

C = (".c",)
CPP = (".cc", ".cpp", ".cxx", ".c++", ".C")
FORTRAN = (".f", ".for", ".f90", ".f95", ".f03", ".f08", ".F", ".F90", ".F95", ".F03", ".F08")


@dataclass(frozen=True)
class Files:
    """A project's files below `root`, a folder of the folder `site`; names are sorted, with /."""

    root: Path
    site: Path
    names: tuple[str, ...]

    def text(self, name: str) -> str:
        """Return the text of a file; empty if it is larger than a mebibyte, or cannot be read."""
        try:
            return read_bytes(self.root / name, MEBIBYTE, self.site).decode("utf-8", "replace")
        except (InputError, OSError):
            return ""

    def ending(self, *endings: str) -> list[str]:
        """Return the names of the files with one of these endings."""
        return [name for name in self.names if PurePosixPath(name).suffix in endings]

    @property
    def top(self) -> list[str]:
        """The names of the files in the folder itself."""
        return [name for name in self.names if "/" not in name]

    @property
    def header_folders(self) -> list[str]:
        """The folders that hold header files."""
        found = self.ending(".h", ".hh", ".hpp", ".hxx", ".inc")
        return sorted({PurePosixPath(name).parent.as_posix() for name in found})

    @property
    def sources(self) -> list[str]:
        """The names of the C, C++ and Fortran files."""
        return self.ending(*C, *CPP, *FORTRAN)


@dataclass
class Plan:
    """How a project is built, as mpigen.yaml says it; `kind` describes the project in words.

    `build`: the commands for app.build; empty for its default. `libraries`: those that it uses,
    whose Debian packages are not known. `program`: the words after `mpigen run --`, or what to put
    there. `notes`: what could not be known, with the field to fill in. `example`: commands as
    app.build could have them, if it must be filled in; else empty.
    """

    kind: str
    build: str = ""
    python: list[str] = field(default_factory=list)
    build_packages: set[str] = field(default_factory=set)
    packages: set[str] = field(default_factory=set)
    libraries: list[str] = field(default_factory=list)
    program: str = ""
    notes: list[str] = field(default_factory=list)
    example: str = ""


def is_test(name: str) -> bool:
    """Whether a file or program is a test, by its name."""
    stem = PurePosixPath(name).stem.lower()
    return bool(re.search(r"^test|_tests?$|^conftest$", stem))


def by_rank(names: list[str]) -> list[str]:
    """Sort files or programs: tests last, and those of deeper folders after the others."""
    return sorted(names, key=lambda name: (is_test(name), name.count("/"), name))
