"""The files of a project, read with bounds, and the plan that is made from them."""

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

    `build`: the commands for app.build; empty for its default. `program`: the words after
    `mpigen run --`, if they are known. `notes`: what could not be known, with the field to fill in.
    `unknown`: whether app.build must be filled in.
    """

    kind: str
    build: str = ""
    python: list[str] = field(default_factory=list)
    build_packages: set[str] = field(default_factory=set)
    packages: set[str] = field(default_factory=set)
    program: str = ""
    notes: list[str] = field(default_factory=list)
    unknown: bool = False
