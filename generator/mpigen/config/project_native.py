"""Projects in C, C++ and Fortran: with a Makefile, with CMake, or a few sources alone."""

import re
from pathlib import PurePosixPath

from mpigen.config import project_libraries
from mpigen.config.project_files import CPP, FORTRAN, C, Files, Plan, by_rank, is_test

_MOST = 50
_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_COMPILERS = "CC=mpicc CXX=mpicxx FC=mpifort F77=mpifort F90=mpifort"
_WRAPPER = re.compile(r"\bmpi(cc|cxx|c\+\+|CC|icc|icpc|f77|f90|fort)(?!\w)")
_INSTALL = re.compile(r"^install\s*:(?!=)", re.MULTILINE)
_OPENMP = re.compile(
    r"-fopenmp|\bOpenMP\b|#[ \t]*pragma omp|^[ \t]*!\$omp", re.MULTILINE | re.IGNORECASE
)
# programs that the build has made: BINDIR is made just before it
_COLLECT = (
    "find . -type f -perm -100 -newer \"$BINDIR\" ! -name '*.so*' ! -path '*/CMakeFiles/*' "
    '-exec install -t "$BINDIR" {} +'
)
_MAIN = {
    C: re.compile(r"\bint\s+main\s*\("),
    CPP: re.compile(r"\b(int|auto)\s+main\s*\("),
    FORTRAN: re.compile(r"^[ \t]*program[ \t]+\w+", re.IGNORECASE | re.MULTILINE),
}
_COMPILER = {C: "mpicc", CPP: "mpicxx", FORTRAN: "mpifort"}


def described(files: Files) -> Plan | None:
    """Return the plan of a project with CMakeLists.txt or a Makefile; None if it has neither.

    A Makefile of a project without sources in these languages does other things.
    """
    if not files.sources:
        return None
    if "CMakeLists.txt" in files.names:
        return _with_languages(_cmake(files), files)
    return made(files)


def made(files: Files) -> Plan | None:
    """Return the plan of a project with a Makefile, whatever its sources are; None without one."""
    makefile = next((name for name in _MAKEFILES if name in files.names), "")
    return _with_languages(_make(files, makefile), files) if makefile else None


def example(files: Files) -> str:
    """Return a command that could build the sources, of which it is not known what belongs."""
    endings = next(each for each in _COMPILER if files.ending(*each))
    return f'{_COMPILER[endings]} -O2 -o "$BINDIR"/NAME FILES'


def bare(files: Files) -> Plan | None:
    """Return the plan of sources alone, if each is a program or one of them is; else None."""
    if len(files.sources) > _MOST:  # their names would fill a page of mpigen.yaml
        return None
    for endings, main in _MAIN.items():
        found = files.ending(*endings)
        if not found or len(found) != len(files.sources):
            continue
        programs = by_rank([name for name in found if main.search(files.text(name))])
        parts = [programs] if len(programs) == 1 else [[name] for name in programs]
        if len(programs) == 1 and endings != FORTRAN:
            parts = [found]  # C and C++ take them in any order
        if not programs or sum(map(len, parts)) != len(found):
            return None
        names = [PurePosixPath(name).stem for name in programs]
        if len(set(names)) != len(names):  # one would overwrite another in $BINDIR
            return None
        openmp = " -fopenmp" if any(_OPENMP.search(files.text(name)) for name in found) else ""
        flags = " ".join(["-O2", *(f"-I{each}" for each in files.header_folders)]) + openmp
        build = " && ".join(
            f'{_COMPILER[endings]} {flags} -o "$BINDIR"/{name} {" ".join(part)} -lm'
            for name, part in zip(names, parts, strict=True)
        )
        plan = Plan(f"the program {names[0]} ({programs[0]})", build, program=names[0])
        if len(programs) > 1:
            plan.kind = f"{len(programs)} programs: {', '.join(names)}"
        return _with_languages(plan, files)
    return None


def _make(files: Files, makefile: str) -> Plan:
    text = files.text(makefile)
    compilers = [] if _WRAPPER.search(text) else [_COMPILERS]
    place = _destination(text)
    plan = Plan(f"a {makefile} with an install target", program=_targets(text, files))
    plan.libraries = project_libraries.of_make(files)
    if place is None:
        # all of it: what was compiled here is for this machine's MPI
        build = f"{' '.join(['make -B', *compilers])} && {_COLLECT}"
        target = "an install target for $BINDIR" if _INSTALL.search(text) else "an install target"
        plan.kind = (
            f"a {makefile} without {target}: every program that it builds goes into the image"
        )
        plan.build = build
        return plan
    build = " ".join(["make install", *compilers, *place])
    plan.build = "" if build == "make install" else build
    return plan


def _targets(text: str, files: Files) -> str:
    """The programs that a Makefile builds: its targets with a source of the same name."""
    sources = {PurePosixPath(name).stem for name in files.sources}
    rules = re.findall(r"^([\w./+ -]+?)\s*:(?!=)", text, re.MULTILINE)
    targets = {PurePosixPath(name).name for rule in rules for name in rule.split()}
    names = by_rank(list(targets & sources))
    if len(names) == 1:
        return names[0]
    return f"PROGRAM, one of {', '.join(names)}" if names else "PROGRAM, a name from your Makefile"


def _destination(text: str) -> list[str] | None:
    """The words of make that have programs installed to $BINDIR; None if nothing can."""
    if not _INSTALL.search(text):
        return None
    used = set(re.findall(r"\$[({](\w+)[)}]", text))
    if "BINDIR" in used:  # which is in make's environment
        assigned = re.search(r"^BINDIR\s*:{0,3}=", text, re.MULTILINE)
        return ['BINDIR="$BINDIR"'] if assigned else []
    if "bindir" in used:
        return ['bindir="$BINDIR"']
    prefix = next((name for name in ("PREFIX", "prefix") if name in used), None)
    return [f'{prefix}="${{BINDIR%/bin}}"'] if prefix else None


def _cmake(files: Files) -> Plan:
    lists = [name for name in files.names if PurePosixPath(name).name == "CMakeLists.txt"]
    text = "\n".join(files.text(name) for name in lists)
    text = re.sub(r"#.*", "", text)
    environment = "" if re.search(r"\bMPI\b", text) else "CC=mpicc CXX=mpicxx FC=mpifort "
    installs = re.search(r"\binstall\s*\(\s*TARGETS\b", text, re.IGNORECASE)
    where = (
        '-DCMAKE_INSTALL_PREFIX="${BINDIR%/bin}" -DCMAKE_INSTALL_BINDIR="$BINDIR"'
        if installs
        else '-DCMAKE_RUNTIME_OUTPUT_DIRECTORY="$BINDIR"'
    )
    commands = [
        f"{environment}cmake -S . -B /tmp/build -DCMAKE_BUILD_TYPE=Release {where}",
        'cmake --build /tmp/build --parallel "$(nproc)"',
        *(["cmake --install /tmp/build"] if installs else []),
    ]
    plan = Plan("a CMake project", " && ".join(commands), build_packages={"cmake"})
    programs = re.findall(r"\badd_executable\s*\(\s*([\w.+-]+)", text, re.IGNORECASE)
    plan.program = min(programs, key=is_test, default="")
    plan.libraries = project_libraries.of_cmake(text)
    if re.search(r"\bproject\s*\([^)]{0,500}\bFortran\b|enable_language\s*\(\s*Fortran", text):
        plan.build_packages.add("gfortran")
    if re.search(r"\bOpenMP\b", text):
        plan.packages.add("libgomp1")
    return plan


def _with_languages(plan: Plan, files: Files) -> Plan:
    """Add the packages that the languages need: Fortran's compiler, OpenMP's library."""
    if files.ending(*FORTRAN):
        plan.build_packages.add("gfortran")
        plan.packages.add("libgfortran5")
    makefiles = [name for name in _MAKEFILES if name in files.names]
    if any(_OPENMP.search(files.text(name)) for name in [*makefiles, *files.sources[:200]]):
        plan.packages.add("libgomp1")
    return plan
