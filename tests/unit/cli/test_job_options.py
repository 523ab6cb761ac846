"""What `mpigen run` makes of its options, and of a job's file below them."""

from pathlib import Path

import pytest

from mpigen.cli.job_options import JobOptions, from_file
from mpigen.errors import InputError
from tests.conftest import Mpigen

FILE = JobOptions(
    command=("./heat",),
    name="heat",
    ranks=4,
    workers=("cpu",),
    env=("A=1",),
    workdir="/w",
    mounts=("m",),
    timeout="2h",
    grace=30,
    label=True,
    detach=True,
    retries=3,
)


def test_what_is_not_given_is_the_files() -> None:
    assert JobOptions().over(FILE) == FILE
    assert FILE.over(JobOptions()) == FILE


def test_what_is_given_goes_before_the_files() -> None:
    asked = JobOptions(command=("x",), ranks=0, env=("A=2",), mounts=("n",), grace=0).over(FILE)
    assert (asked.command, asked.ranks, asked.grace) == (("x",), 0, 0)
    assert (asked.env, asked.mounts) == (("A=1", "A=2"), ("m", "n"))
    with pytest.raises(InputError, match="-n 0: a job has at least one rank"):
        asked.spec("openmpi")


def test_the_last_value_of_a_variable_counts() -> None:
    job = JobOptions(command=("x",), env=("A=1", "B=1", "A=2")).spec("openmpi")
    assert job.env == ("A=2", "B=1")
    assert job.argv == ("mpirun", "-x", "A", "-x", "B", "x")


def test_labels_and_the_folder_of_ranks() -> None:
    job = JobOptions(command=("-n", "1", "a", ":", "b"), workdir="/w", label=True).spec("openmpi")
    assert job.argv == ("mpirun", *["--wdir", "/w", "-n", "1", "a", ":", "--wdir", "/w", "b"])
    assert job.env == ("MPI_LABEL=1",)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"retries": 1}, "--retries works for batch jobs only"),
        ({"retries": 101, "detach": True}, "--retries 101: this is not a number from 0 to 100"),
        ({"workdir": "here"}, "--workdir here: this is not an absolute path"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        JobOptions(command=("x",), **wrong).spec("openmpi")  # type: ignore[arg-type]


def test_a_file_is_read_into_options(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(
        "{command: ./heat, name: heat, ranks: 4, workers: [cpu], env: {A: '1'}, workdir: /w, "
        "mounts: [m], timeout: 2h, grace: 30, label: true, detach: true, retries: 3}"
    )
    assert from_file(file) == FILE


def test_a_wrong_file_is_refused_before_docker_is_asked(tmp_path: Path, mpigen: Mpigen) -> None:
    (tmp_path / "job.yaml").write_text("comand: x\n")
    done = mpigen("run", "-f", tmp_path / "job.yaml")
    assert done.code == 2
    assert "job.yaml:1:1: comand: unknown key; did you mean command?" in done.err
    assert "Nothing was started." in done.err
