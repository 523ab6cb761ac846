"""Projects as people have them, for `mpigen init`: each prints its ranks once, by MPI."""

from dataclasses import dataclass, field
from pathlib import Path

_C = """\
#include <mpi.h>
#include <stdio.h>
#include "say.h"
int main(int argc, char **argv) {
    int rank, size;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    say(rank, size);
    MPI_Finalize();
    return 0;
}
"""
_SAY = """\
#include <stdio.h>
#include "say.h"
void say(int rank, int size) { printf("rank %d of %d\\n", rank, size); }
"""
_FORTRAN = """\
module words
  implicit none
contains
  subroutine say(rank, size)
    integer, intent(in) :: rank, size
    print '(a,i0,a,i0)', 'rank ', rank, ' of ', size
  end subroutine
end module
"""
_RING = """\
program ring
  use mpi
  use words
  implicit none
  integer :: rank, size, error
  call mpi_init(error)
  call mpi_comm_rank(mpi_comm_world, rank, error)
  call mpi_comm_size(mpi_comm_world, size, error)
  !$omp parallel
  !$omp end parallel
  call say(rank, size)
  call mpi_finalize(error)
end program
"""
_PYTHON = """\
import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
total = comm.allreduce(np.ones(3))
assert total.sum() == 3 * comm.size
print(f"rank {comm.rank} of {comm.size}")
"""
_CMAKE = """\
cmake_minimum_required(VERSION 3.16)
project(heat C)
find_package(MPI REQUIRED)
add_executable(heat src/main.c src/say.c)
target_include_directories(heat PRIVATE include)
target_link_libraries(heat PRIVATE MPI::MPI_C)
"""


@dataclass(frozen=True)
class Project:
    """A project's files, the words after `mpigen run --`, and what mpigen.yaml must say of it."""

    files: dict[str, str]
    program: str
    app: dict[str, object]
    image: dict[str, list[str]] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write the files to a folder."""
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")


_COLLECT = (
    "find . -type f -perm -100 -newer \"$BINDIR\" ! -name '*.so*' ! -path '*/CMakeFiles/*' "
    '-exec install -t "$BINDIR" {} +'
)
_COMPILERS = "CC=mpicc CXX=mpicxx FC=mpifort F77=mpifort F90=mpifort"
PROJECTS = {
    "empty": Project({}, "hello", {"source": "app", "check": "hello"}),
    "make": Project(
        {
            "Makefile": "CC = mpicc\npi: main.o say.o\n\t$(CC) -o $@ $^\n",
            "main.c": _C,
            "say.c": _SAY,
            "say.h": "void say(int, int);\n",
            "compile.sh": "#!/bin/sh\nmake\n",
        },
        "pi",
        {"source": ".", "build": f"make -B && {_COLLECT}"},
    ),
    "cmake": Project(
        {
            "CMakeLists.txt": _CMAKE,
            "src/main.c": _C,
            "src/say.c": _SAY,
            "include/say.h": "void say(int, int);\n",
        },
        "heat",
        {
            "source": ".",
            "build": "cmake -S . -B /tmp/build -DCMAKE_BUILD_TYPE=Release "
            '-DCMAKE_RUNTIME_OUTPUT_DIRECTORY="$BINDIR" && '
            'cmake --build /tmp/build --parallel "$(nproc)"',
        },
        {"build_packages": ["cmake"]},
    ),
    "fortran": Project(
        {
            "src/Makefile": "FC = gfortran\nring: words.o ring.o\n\t$(FC) -fopenmp -o $@ $^\n"
            "%.o: %.f90\n\t$(FC) -fopenmp -c $<\n",
            "src/words.f90": _FORTRAN,
            "src/ring.f90": _RING,
        },
        "ring",
        {"source": "src", "build": f"make -B {_COMPILERS} && {_COLLECT}"},
        {"packages": ["libgfortran5", "libgomp1"], "build_packages": ["gfortran"]},
    ),
    "python": Project(
        {"requirements.txt": "numpy >= 1.20  # arrays\n", "pi.py": _PYTHON},
        "python pi.py",
        {"source": ".", "python": ["mpi4py", "numpy>=1.20"]},
    ),
    "repository": Project(
        {
            ".gitignore": "*.o\n",
            ".github/workflows/ci.yml": "on: push\n",
            "Makefile": "PREFIX = /usr/local\nall: bin/pi\nbin/pi: src/main.c src/say.c\n"
            "\tmkdir -p bin && mpicc -Isrc -o $@ $^\n"
            "install: all\n\tinstall -D bin/pi $(DESTDIR)$(PREFIX)/bin/pi\n",
            "src/main.c": _C,
            "src/say.c": _SAY,
            "src/say.h": "void say(int, int);\n",
        },
        "pi",
        {"source": ".", "build": 'make install PREFIX="${BINDIR%/bin}"'},
    ),
}
