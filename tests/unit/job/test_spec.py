"""What a job is asked to be, before Docker is: names, words, sizes; and the hostfile of groups."""

import pytest

from mpigen.errors import InputError
from mpigen.job import spec
from mpigen.mpi import IMPLEMENTATIONS
from tests.conftest import Mpigen


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("1d2h3m4s", 93784)],
)
def test_durations(text: str, seconds: int) -> None:
    assert spec.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0m", "-1", "1.5h", "m", "10 m", "5x", "1m1h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a duration"):
        spec.seconds(text)


def job(
    *command: str,
    name: str = "",
    ranks: int | None = None,
    env: tuple[str, ...] = (),
    grace: int = 0,
    mpi: str = "openmpi",
) -> spec.JobSpec:
    return spec.mpirun(name, command, ranks, (), env, (), None, grace, mpi=mpi)


def test_the_words_of_a_job() -> None:
    asked = job("--map-by", "node", "./a.out", ranks=4, env=("A=b c", "D="))
    assert asked.argv == (
        *("mpirun", "-x", "A", "-x", "D", "-n", "4"),
        *("--map-by", "node", "./a.out"),
    )
    assert asked.display == "-n 4 --map-by node ./a.out"
    assert asked.env == ("A=b c", "D=")


def test_mpich_needs_no_words_for_the_environment() -> None:
    """Hydra ends with 255 at `-x`, and passes all variables on by itself."""
    assert job("./a.out", ranks=4, env=("A=b",), mpi="mpich").argv == (
        "mpirun",
        "-n",
        "4",
        "./a.out",
    )


def test_the_environment_is_that_of_every_program_of_a_job() -> None:
    asked = job("-n", "1", "a", ":", "-n", "2", "b", env=("A=b",))
    assert " ".join(asked.argv) == "mpirun -x A -n 1 a : -x A -n 2 b"


def test_the_grace_is_told_to_mpirun() -> None:
    assert job("a", env=("A=b",), grace=9).env == ("A=b", "MPI_GRACE=9")
    # mpirun needs it, the ranks do not
    assert "MPI_GRACE" not in job("a", grace=9).argv


@pytest.mark.parametrize(
    ("words", "called"),
    [
        ("./heat", "heat"),
        ("--map-by node ./heat", "heat"),
        ("--map-by=node ./heat", "heat"),
        ("-n 4 --oversubscribe -x A --mca btl tcp,self ./heat -n 2", "heat"),
        ("-np 2 /opt/heat : -np 1 /opt/other", "heat"),
        ("--report-bindings python3 heat.py", "python3"),
        ("-- ./heat", "heat"),
        # nobody can tell whether a value follows
        ("--no-such-option node ./heat", "mpirun"),
        ("--map-by", "mpirun"),
    ],
)
def test_a_job_is_called_after_its_program(words: str, called: str) -> None:
    assert job(*words.split()).name.rpartition("-")[0] == called


@pytest.mark.parametrize(
    ("words", "called"),
    [
        ("-ppn 1 ./heat", "heat"),
        ("-genv A b -env C d ./heat", "heat"),
        ("-print-rank-map -bind-to core ./heat", "heat"),
        ("--map-by node ./heat", "heat"),
        ("-x A ./heat", "mpirun"),
    ],
)
def test_a_job_of_mpich_is_called_after_its_program(words: str, called: str) -> None:
    assert job(*words.split(), mpi="mpich").name.rpartition("-")[0] == called


def test_every_mpi_names_the_options_of_its_mpirun() -> None:
    for each in IMPLEMENTATIONS.values():
        assert each.options, each.name
        assert all(not name.startswith("-") for name in each.options)
    with pytest.raises(InputError, match="does not know the MPI 'other'"):
        job("a", mpi="other")


def test_a_made_up_name_tells_the_program_and_is_never_twice_the_same() -> None:
    names = {spec.checked_name("", "./bin/My_Program.x86_64-linux") for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("my-program-x-") for name in names)
    assert all(spec.checked_name(name, "") == name for name in names)
    assert len(spec.checked_name("", "--")) == 6


@pytest.mark.parametrize("name", ["A", "-a", "a-", "a_b", "a" * 33, "a b"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="is not a valid name for a job"):
        spec.checked_name(name, "")


@pytest.mark.parametrize("pair", ["A", "=b", "1A=b", "A-B=c"])
def test_an_environment_without_a_name_or_value_is_refused(pair: str) -> None:
    with pytest.raises(InputError, match="not NAME=VALUE"):
        job("a", env=(pair,))


def test_every_problem_of_a_job_is_reported_at_once() -> None:
    with pytest.raises(InputError) as error:
        job(ranks=0, env=("A",), grace=-1)
    for what in ("no command", "-n 0", "--env A", "--grace -1"):
        assert what in error.value.message


def test_mpigen_run_says_what_is_missing_before_it_asks_docker(mpigen: Mpigen) -> None:
    for words in (
        [],
        ["-n", "0", "a"],
        ["--timeout", "soon", "a"],
        ["--name", "A", "a"],
        ["--grace", "-1", "a"],
    ):
        done = mpigen("run", "--context", "nowhere", *words)
        assert done.code == 2, words
        assert "nowhere" not in done.err
