"""What a job is asked to be, before Docker is: names, words, sizes; and the hostfile of groups."""

import pytest

from mpigen.errors import InputError
from mpigen.job import spec
from tests.conftest import Mpigen


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("1d2h3m4s", 93784)],
)
def test_durations(text: str, seconds: int) -> None:
    assert spec.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0m", "-1", "1.5h", "m", "10 m", "5x", "1m1h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no duration"):
        spec.seconds(text)


def test_the_words_of_a_job() -> None:
    asked = spec.mpirun("", ("--map-by", "node", "./a.out"), 4, (), ("A=b c", "D="), (), None)
    assert asked.argv == (
        *("mpirun", "-x", "A", "-x", "D", "-n", "4"),
        *("--map-by", "node", "./a.out"),
    )
    assert asked.display == "-n 4 --map-by node ./a.out"


def test_a_made_up_name_tells_the_program_and_is_never_twice_the_same() -> None:
    names = {spec.checked_name("", "./bin/My_Program.x86_64-linux") for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("my-program-x-") for name in names)
    assert all(spec.checked_name(name, "") == name for name in names)
    assert len(spec.checked_name("", "--")) == 6


@pytest.mark.parametrize("name", ["A", "-a", "a-", "a_b", "a" * 33, "a b"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot name a job"):
        spec.checked_name(name, "")


@pytest.mark.parametrize("pair", ["A", "=b", "1A=b", "A-B=c"])
def test_an_environment_without_a_name_or_value_is_refused(pair: str) -> None:
    with pytest.raises(InputError, match="not NAME=VALUE"):
        spec.mpirun("", ("a",), None, (), (pair,), (), None)


def test_mpigen_run_says_what_is_missing_before_it_asks_docker(mpigen: Mpigen) -> None:
    for words in ([], ["-n", "0", "a"], ["--timeout", "soon", "a"], ["--name", "A", "a"]):
        done = mpigen("run", "--context", "nowhere", *words)
        assert done.code == 2, words
        assert "nowhere" not in done.err
