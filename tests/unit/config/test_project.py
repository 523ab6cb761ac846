"""What `mpigen init` makes of projects: mpigen.yaml for their program, or the line to fill in."""

import os
import re
from pathlib import Path

import pytest
import yaml

from mpigen.config import project
from tests.conftest import Mpigen, snapshot
from tests.projects import PROJECTS

_MAIN = "#include <mpi.h>\nint main(int argc, char **argv) { return MPI_Init(&argc, &argv); }\n"


def put(folder: Path, **files: str) -> None:
    """Write files; __ in a name stands for /, and _dot_ for a dot."""
    for key, text in files.items():
        path = folder / key.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def plan(folder: Path) -> project.Plan:
    found = project.find(folder)
    assert found
    return found.plan


@pytest.mark.parametrize("kind", PROJECTS)
def test_a_site_is_for_the_program_that_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mpigen: Mpigen, kind: str
) -> None:
    expected = PROJECTS[kind]
    expected.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = {path: each for path, each in snapshot(tmp_path).items() if each[2]}
    done = mpigen("init")
    assert done.code == 0, done.err
    assert {path: each for path, each in snapshot(tmp_path).items() if path in before} == before
    data = yaml.safe_load((tmp_path / "mpigen.yaml").read_text())
    assert data["app"] == expected.app
    assert data.get("image", {}) == expected.image
    assert (tmp_path / "app").exists() == (kind == "empty")
    assert ("\nfound " in done.out) == (kind != "empty")
    # whatever it is, the way to its ranks is named
    assert ("\nonce it is deployed: mpigen run -- " in done.out) == (kind != "empty")
    assert done.out.endswith("\nnext: mpigen render\n")
    assert mpigen("render").code == 0
    mine = ".gitignore was kept: add .mpigen*, report.html, report.json"
    assert (mine in done.out) == (".gitignore" in expected.files)
    # a second time nothing is missing
    assert " new " not in mpigen("init").out


@pytest.mark.parametrize(
    ("files", "build"),
    [
        ({"Makefile": "install: a\n\tcp a $(BINDIR)\na:\n\tmpicc a.c\n"}, ""),
        (
            {"Makefile": "BINDIR = bin\ninstall: a\n\tcp a $(BINDIR)\na:\n\tmpicc a.c\n"},
            'make install BINDIR="$BINDIR"',
        ),
        (
            {"Makefile": "install:\n\t$(CC) a.c -o $(bindir)/a\n"},
            'make install CC=mpicc CXX=mpicxx FC=mpifort F77=mpifort F90=mpifort bindir="$BINDIR"',
        ),
        (
            {"Makefile": "install: a\n\tcp a ${prefix}/bin\na:\n\tmpicc a.c\n"},
            'make install prefix="${BINDIR%/bin}"',
        ),
        ({"a_dot_h": ""}, 'mpicc -O2 -I. -o "$BINDIR"/a a.c -lm'),
        ({"b_dot_c": "int helper;\n"}, 'mpicc -O2 -o "$BINDIR"/a a.c b.c -lm'),
        (
            {"b_dot_c": _MAIN},
            'mpicc -O2 -o "$BINDIR"/a a.c -lm && mpicc -O2 -o "$BINDIR"/b b.c -lm',
        ),
    ],
    ids=["bindir", "assigned", "gnu", "prefix", "header", "two parts", "two programs"],
)
def test_how_c_is_built(tmp_path: Path, files: dict[str, str], build: str) -> None:
    put(tmp_path, a_dot_c=_MAIN, **files)
    assert plan(tmp_path).build == build


def test_an_install_target_with_a_fixed_folder_is_not_trusted(tmp_path: Path) -> None:
    put(tmp_path, a_dot_c=_MAIN, Makefile="install: a\n\tcp a /usr/bin\na:\n\tmpicc a.c\n")
    found = plan(tmp_path)
    assert found.build.startswith("make -B && find . ")
    assert "without an install target for $BINDIR" in found.kind


def test_cmake_projects_with_install_rules_fortran_and_openmp(tmp_path: Path) -> None:
    text = "project(x LANGUAGES C Fortran)\nfind_package(OpenMP)\nadd_executable(x a.c)\n"
    put(tmp_path, a_dot_c=_MAIN, CMakeLists_dot_txt=f"{text}install(TARGETS x DESTINATION bin)\n")
    found = plan(tmp_path)
    assert found.build.startswith("CC=mpicc CXX=mpicxx FC=mpifort cmake -S . -B /tmp/build ")
    assert '-DCMAKE_INSTALL_PREFIX="${BINDIR%/bin}"' in found.build
    assert found.build.endswith(" && cmake --install /tmp/build")
    assert found.build_packages == {"cmake", "gfortran"}
    assert (found.packages, found.program) == ({"libgomp1"}, "x")


def test_requirements_that_are_more_than_names_are_pips_own_matter(tmp_path: Path) -> None:
    text = (
        "mpi4py==4.1.0\nscipy ~= 1.10\nx @ git+https://example.org/x\ntomli; python_version<'3'\n"
    )
    put(tmp_path, main_dot_py="", requirements_dot_txt=text)
    found = plan(tmp_path)
    assert found.python == ["mpi4py==4.1.0", "scipy~=1.10"]
    assert found.build == "/opt/venv/bin/pip install --no-cache-dir -r requirements.txt"
    assert (found.build_packages, found.program) == ({"git"}, "python main.py")


def test_a_python_package_is_installed_with_what_it_asks_for(tmp_path: Path) -> None:
    text = (
        '[build-system]\nrequires = ["setuptools"]\n[project]\nname = "heat"\n'
        'dependencies = ["numpy>=1.20,<3"]\n[project.scripts]\nheat = "heat:main"\n'
    )
    put(tmp_path, pyproject_dot_toml=text, src__heat__init_dot_py="")
    found = plan(tmp_path)
    assert found.python == ["mpi4py", "numpy>=1.20,<3"]
    assert found.build == "/opt/venv/bin/pip install --no-cache-dir ."
    assert found.program == "heat"
    # without a build system it is a list of packages only
    put(tmp_path, pyproject_dot_toml='[project]\ndependencies = ["x; os_name == \'nt\'", "y"]\n')
    found = plan(tmp_path)
    assert (found.python, found.build) == (["mpi4py", "y"], "")
    assert found.notes == [
        "pyproject.toml asks for x; os_name == 'nt', which is more than names and versions: "
        "fill in app.python"
    ]


def test_scripts_alone_name_the_packages_that_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mpigen: Mpigen
) -> None:
    script = "import os, numpy\nfrom mpi4py import MPI\nfrom yaml import load\nimport own\n"
    put(tmp_path, pi_dot_py=script, own_dot_py="")
    monkeypatch.chdir(tmp_path)
    out = mpigen("init").out
    (number,) = [
        number
        for number, line in enumerate((tmp_path / "mpigen.yaml").read_text().splitlines(), 1)
        if line == "  python: [mpi4py, numpy]"
    ]
    assert (
        "\nthey also import yaml: add what pip calls them to app.python "
        f"(line {number} of mpigen.yaml)\n" in out
    )
    assert "\nonce it is deployed: mpigen run -- python pi.py\n" in out


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (
            {"meson_dot_build": "", "a_dot_c": _MAIN, "b_dot_f90": ""},
            "a Meson project (meson.build)",
        ),
        ({"Cargo_dot_toml": "", "src__main_dot_rs": ""}, "a Cargo project (Cargo.toml)"),
        ({"a_dot_c": "int x;\n"}, "sources such as a.c"),
        ({"a__main_dot_c": _MAIN, "b__main_dot_c": _MAIN}, "sources such as a/main.c"),
        ({"a_dot_f90": "program a\nend\n", "b_dot_f90": "module b\nend\n"}, "such as a.f90"),
        ({"app__notes_dot_txt": "mine\n"}, "in app/ no sources that mpigen knows"),
    ],
    ids=["meson", "cargo", "no main", "two of a name", "modules", "no sources"],
)
def test_what_cannot_be_known_is_one_line_to_fill_in(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mpigen: Mpigen,
    files: dict[str, str],
    found: str,
) -> None:
    put(tmp_path, **files)
    monkeypatch.chdir(tmp_path)
    out = mpigen("init").out
    lines = (tmp_path / "mpigen.yaml").read_text().splitlines()
    number = lines.index("  #build: make install") + 1
    compilers = lines.index("  build_packages: []") + 1
    assert found in out
    said = re.search(
        f"fill in app.build, line {number} of mpigen.yaml. Remove its #, and give it commands that "
        r"put the program into \$BINDIR, for example `(.*)`. "
        rf"Compilers go into image.build_packages \(line {compilers}\)\n",
        out,
    )
    assert said, out
    assert out.endswith("\nnext: fill in that line, then mpigen render\n")
    for command in ("validate", "render"):
        refused = mpigen(command)
        assert refused.code == 2
        assert (
            "app.build: is not set, and app.source has no Makefile for its default, make install\n"
            in refused.err
        )
    assert not (tmp_path / "output").exists()
    # as the message says
    lines[number - 1] = f"  build: {said[1]}"
    (tmp_path / "mpigen.yaml").write_text("\n".join(lines) + "\n")
    assert mpigen("render").code == 0
    assert said[1].replace('"', '\\"') in (tmp_path / "output/Dockerfile").read_text()


def test_a_makefile_of_a_python_project_is_no_build(tmp_path: Path) -> None:
    put(tmp_path, Makefile="test:\n\tpytest\n", requirements_dot_txt="numpy\n", a_dot_py="")
    assert plan(tmp_path).kind == "a Python project with requirements.txt"


def test_what_builds_a_package_comes_before_a_makefile_and_that_before_a_list(
    tmp_path: Path,
) -> None:
    put(tmp_path, src__Makefile="a:\n\tmpicc a.c\n", src__a_dot_c=_MAIN)
    put(tmp_path, requirements_dot_txt="numpy\n", pyproject_dot_toml="[tool.ruff]\n")
    found = project.find(tmp_path)
    assert found and (found.source, found.plan.python) == ("src", [])
    put(tmp_path, setup_dot_py="", requirements_dot_txt="-r more.txt\n")
    found = project.find(tmp_path)
    assert found and (found.source, found.plan.kind) == (".", "a Python package (setup.py)")
    assert found.plan.build.endswith(
        "-r requirements.txt && /opt/venv/bin/pip install --no-cache-dir ."
    )


def test_an_app_that_holds_the_program_comes_before_loose_files(tmp_path: Path) -> None:
    put(tmp_path, app__a_dot_c=_MAIN, tools__b_dot_py="import numpy\n")
    found = project.find(tmp_path)
    assert found and (found.source, found.plan.program) == ("app", "a")


def test_what_a_build_has_left_and_links_are_not_looked_at(tmp_path: Path) -> None:
    assert project.find(tmp_path) is None
    put(tmp_path, _dot_venv__a_dot_py="", output__x_dot_py="")
    put(tmp_path, output__manifest_dot_json="{}", output__stack_dot_yml="")
    (tmp_path / "Makefile").symlink_to("/etc/passwd")
    (tmp_path / "a b$.c").write_text(_MAIN)
    os.mkfifo(tmp_path / "b.c")
    assert project.find(tmp_path / "nowhere") is None
    found = project.find(tmp_path)
    assert found is None or found.plan.example


def test_tests_are_not_taken_for_the_program(tmp_path: Path) -> None:
    put(tmp_path, tests__test_wave_dot_c=_MAIN, testing__a_dot_c=_MAIN, sub__wave_dot_c=_MAIN)
    found = plan(tmp_path)
    assert (found.kind, found.program) == ("the program wave (sub/wave.c)", "wave")
    put(tmp_path, test_wave_dot_c=_MAIN, solve_dot_c=_MAIN)
    found = plan(tmp_path)
    assert (found.kind, found.program) == ("3 programs: solve, wave, test_wave", "solve")
    text = "add_executable(test_wave t.c)\nadd_executable(wave a.c)\n"
    put(tmp_path, CMakeLists_dot_txt=text)
    assert plan(tmp_path).program == "wave"


def test_a_python_test_is_not_the_script(tmp_path: Path) -> None:
    put(tmp_path, pi_dot_py="import numpy\n", test_pi_dot_py="import mpi4py\n")
    assert plan(tmp_path).program == "python pi.py"


@pytest.mark.parametrize(
    ("makefile", "program"),
    [
        ("all: bin/wave\nbin/wave: wave.c\n\tmpicc $^\nclean:\n\trm wave\n", "wave"),
        ("wave solve: %: %.c\n\tmpicc $^\n", "PROGRAM, one of solve, wave"),
        ("CFLAGS := -O2\nx: main.o\n\tmpicc $^\n", "PROGRAM, a name from your Makefile"),
    ],
)
def test_the_programs_of_a_makefile(tmp_path: Path, makefile: str, program: str) -> None:
    put(tmp_path, Makefile=makefile, wave_dot_c=_MAIN, solve_dot_c=_MAIN)
    assert plan(tmp_path).program == program


@pytest.mark.parametrize(
    ("files", "libraries"),
    [
        (
            {
                "Makefile": "LIBS = -lfftw3 -lhdf5_fortran -L. -lown -lm -lpthread -lmpi_cxx -lrt\n"
                "# -lgone\na: a.c libown.a\n\tls -la\n\tmpicc a.c $(LIBS) -fopenmp-lax\n",
                "sub__Makefile": "\tmpicc $(pkg-config --libs gsl) -llapack -lfftw3\n",
            },
            ["fftw3", "hdf5_fortran", "lapack", "gsl"],
        ),
        (
            {
                "CMakeLists_dot_txt": "find_package(MPI REQUIRED)\nfind_package(OpenMP)\n"
                "find_package( Eigen3 3.3 REQUIRED)\nfind_package(Threads)\n"
                "pkg_check_modules(FFTW REQUIRED IMPORTED_TARGET fftw3>=3.3)\n"
                "find_library(SCALAPACK NAMES scalapack)\n# find_package(Gone)\n"
            },
            ["Eigen3", "scalapack", "fftw3"],
        ),
        ({"Makefile": "a:\n\tmpicc a.c -lm\n"}, []),
    ],
    ids=["make", "cmake", "none"],
)
def test_libraries_are_named_and_their_packages_left_open(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mpigen: Mpigen,
    files: dict[str, str],
    libraries: list[str],
) -> None:
    put(tmp_path, a_dot_c=_MAIN, **files)
    monkeypatch.chdir(tmp_path)
    out = mpigen("init").out
    assert plan(tmp_path).libraries == libraries
    assert ("\nit uses " in out) == bool(libraries)
    if libraries:
        lines = (tmp_path / "mpigen.yaml").read_text().splitlines()
        build, run = (
            next(n for n, line in enumerate(lines, 1) if line.startswith(f"  {field}: ["))
            for field in ("build_packages", "packages")
        )
        assert (
            f"\nit uses {', '.join(libraries)}: name their Debian packages in image.build_packages "
            f"(line {build} of mpigen.yaml) and image.packages (line {run})\n"
        ) in out
    assert mpigen("render").code == 0


@pytest.mark.parametrize("name", ["x.jl", "a.cu", "data.csv"])
def test_a_folder_with_an_unknown_program_is_told_of_the_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mpigen: Mpigen, name: str
) -> None:
    (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    out = mpigen("init").out
    lines = (tmp_path / "mpigen.yaml").read_text().splitlines()
    wanted = ("  source: app", "  #build: make install", "  check: hello")
    source, build, check = (lines.index(each) + 1 for each in wanted)
    assert (
        "\nfound no program that mpigen knows: wrote an example into app/. For your own, set "
        f"app.source and app.build (lines {source} and {build} of mpigen.yaml), "
        f"and remove app.check (line {check})\n"
    ) in out
    assert "found" not in mpigen("init").out


def test_a_makefile_without_known_sources_is_a_project(tmp_path: Path) -> None:
    put(tmp_path, Makefile="all:\n\tfor d in $(SUBDIRS); do $(MAKE) -C $$d; done\n", a_dot_cu="")
    found = project.find(tmp_path)
    assert found and (found.source, found.plan.example) == (".", "")
    assert found.plan.kind.startswith("a Makefile without an install target: ")


def test_the_packages_of_poetry(tmp_path: Path) -> None:
    text = (
        '[tool.poetry]\npackage-mode = false\n[build-system]\nrequires = ["poetry-core"]\n'
        '[tool.poetry.dependencies]\npython = "^3.10"\nnumpy = "^1.26"\nscipy = "~1.11.2"\n'
        'h5py = "*"\nnumba = "^0.58"\nsympy = "1.12"\npandas = ">=2, <3"\n'
        'dask = {version = "~2024", extras = ["array"]}\nown = {path = "../own"}\n'
    )
    put(tmp_path, pyproject_dot_toml=text, pi_dot_py="")
    found = plan(tmp_path)
    assert found.kind == "a Python project with pyproject.toml"
    assert found.python == [
        *("mpi4py", "numpy>=1.26,<2", "scipy>=1.11.2,<1.12", "h5py", "numba>=0.58,<0.59"),
        *("sympy==1.12", "pandas>=2,<3", "dask[array]>=2024,<2025"),
    ]
    assert found.notes == [
        "pyproject.toml asks for own with path, which is more than names and versions: "
        "fill in app.python"
    ]


def test_the_packages_of_conda(tmp_path: Path) -> None:
    text = (
        "name: x\nchannels: [conda-forge]\ndependencies:\n- python=3.11\n- numpy=1.26\n"
        "- conda-forge::scipy >=1.10,<2\n- h5py=3.10.0=nompi_py311\n- openmpi\n- numba 0.58.*\n"
        "- pip\n- pip:\n  - sympy==1.12\n  - -r more.txt\n"
    )
    put(tmp_path, environment_dot_yml=text, pi_dot_py="")
    found = plan(tmp_path)
    assert found.kind == "a Python project with environment.yml"
    assert found.python == [
        *("mpi4py", "numpy==1.26.*", "scipy>=1.10,<2", "h5py==3.10.0.*", "numba==0.58.*"),
        "sympy==1.12",
    ]
    assert [note.partition(" ")[2].partition(",")[0] for note in found.notes] == [
        "asks for -r more.txt",
        "lists conda packages",
    ]
    # one that cannot be read is no list
    put(tmp_path, environment_dot_yml="dependencies: [\n")
    assert plan(tmp_path).kind == "Python scripts without a list of packages"


def test_a_pyproject_without_packages_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mpigen: Mpigen
) -> None:
    put(tmp_path, pi_dot_py="import numpy\n", pyproject_dot_toml="[tool.pdm]\n")
    monkeypatch.chdir(tmp_path)
    out = mpigen("init").out
    number = (tmp_path / "mpigen.yaml").read_text().splitlines().index(
        "  python: [mpi4py, numpy]"
    ) + 1
    assert (
        "\npyproject.toml has no [project] table: add its packages to app.python "
        f"(line {number} of mpigen.yaml)\n"
    ) in out


def test_a_project_in_src_is_found_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mpigen: Mpigen
) -> None:
    PROJECTS["fortran"].write(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert "\nfound in src/ a Makefile without an install target: " in mpigen("init").out
