"""The libraries that a project in C, C++ or Fortran uses beside MPI, as its build files name them.

Their Debian packages are not guessed: a name such as hdf5 stands for several.
"""

import re
from pathlib import PurePosixPath

from mpigen.config.project_files import Files

_MOST = 50
# part of the image, or installed with the compilers
_WITH_COMPILERS = {
    *("c", "m", "dl", "rt", "pthread", "util", "gomp", "stdc++", "gcc"),
    *("gfortran", "quadmath", "openmp", "threads"),
}


def of_make(files: Files) -> list[str]:
    """Return the libraries of the Makefiles, without those that the project builds itself."""
    names = [
        name
        for name in files.names
        if re.fullmatch(r"GNUmakefile|[Mm]akefile|.*\.mk|make\.inc", PurePosixPath(name).name)
    ]
    text = "\n".join(files.text(name) for name in names[:_MOST])
    text = re.sub(r"(^|\s)#.*", "", text)
    found = re.findall(r"(?<![\w-])(?<!\bls )-l([A-Za-z][\w+.-]*)", text)
    for words in re.findall(r"\bpkg-config\s+([^)`\n]*)", text):
        found += [word for word in words.split() if re.fullmatch(r"[A-Za-z][\w+.-]*", word)]
    return _foreign([name for name in found if f"lib{name}." not in text])


def of_cmake(text: str) -> list[str]:
    """Return the packages and libraries that the text of CMakeLists.txt looks for."""
    found = re.findall(r"\bfind_package\s*\(\s*([A-Za-z][\w+.-]*)", text, re.IGNORECASE)
    found += re.findall(
        r"\bfind_library\s*\(\s*\w+\s+(?:NAMES\s+)?([A-Za-z][\w+.-]*)", text, re.IGNORECASE
    )
    for words in re.findall(r"\bpkg_\w+\s*\(\s*\w+\s+([^)]*)", text, re.IGNORECASE):
        # its options, such as REQUIRED, are in capitals
        found += re.findall(r"(?<![\w=.-])(?![A-Z_]+\b)[A-Za-z][\w+.-]*", words)
    return _foreign(found)


def _foreign(names: list[str]) -> list[str]:
    """Each name once, without MPI's own libraries and those that come with the compilers."""
    return [
        name
        for name in dict.fromkeys(names)
        if name.lower() not in _WITH_COMPILERS and not name.lower().startswith("mpi")
    ]
