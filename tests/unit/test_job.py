"""What a job is asked to be, before Docker is: names, words, sizes; and the hostfile of groups."""

import io
import os
import subprocess
import tarfile
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mpigen.errors import ClusterError, InputError
from mpigen.job import attach, batch, hosts, logs, push, spec
from mpigen.job.hosts import Hosts
from mpigen.notation.timestamps import parse_timestamp
from mpigen.swarm.state import Task
from tests.conftest import Mpigen

TWO = Hosts(
    "x:latest", {"cpu": 3, "gpu": 1}, {"cpu": 2, "gpu": 4}, {"gpu": ("node.role==a",)}, True
)


def job(ranks: int | None = None, groups: tuple[str, ...] = (), name: str = "j") -> spec.JobSpec:
    return spec.mpirun(name, ("hello",), ranks, groups, (), (), None)


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


def test_more_ranks_than_slots_are_refused_with_what_there_is() -> None:
    hosts.refuse_too_many(job(10), TWO)
    with pytest.raises(InputError) as error:
        hosts.refuse_too_many(job(11), TWO)
    assert error.value.message == (
        "-n 11 needs more than the 10 slots that there are: cpu has 3 x 2, gpu has 1 x 4"
    )
    assert "mpigen scale gpu=2" in error.value.hint
    with pytest.raises(InputError, match="the 6 slots that there are: cpu has 3 x 2"):
        hosts.refuse_too_many(job(7), TWO.choose(("cpu",)))


def test_a_cluster_without_a_slot_is_told() -> None:
    none = Hosts("x", {"cpu": 0}, {"cpu": 2}, {}, True)
    with pytest.raises(ClusterError, match="there is no slot"):
        hosts.refuse_too_many(job(), none)


def test_where_no_manager_can_be_asked_nothing_is_refused() -> None:
    hosts.refuse_too_many(job(99), Hosts("x", {"cpu": 1}, {"cpu": 1}, {}, False))


def test_groups_are_chosen_in_the_order_given() -> None:
    assert list(TWO.choose(("gpu", "cpu")).counts) == ["gpu", "cpu"]
    assert TWO.choose(()).counts == TWO.counts
    with pytest.raises(InputError, match="--workers tpu: there is no such group; there are: cpu"):
        TWO.choose(("tpu",))


def test_a_job_is_ended_by_its_signal_then_in_a_hurry_by_a_second_and_then_by_force() -> None:
    def steps(*hurry: bool) -> list[str | None]:
        step, taken = None, []
        for each in hurry:
            taken.append(step := attach._next_step(step, each))
        return taken

    assert steps(True, True, True, True) == ["first", "SIGTERM", "SIGKILL", "SIGKILL"]
    assert steps(True, False, False) == ["first", "SIGKILL", None]
    assert steps(True, True, False, False) == ["first", "SIGTERM", "SIGKILL", None]
    assert steps(False, False, True, False) == ["first", "SIGKILL", "SIGKILL", None]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123456, UTC)),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, 0, UTC)),
    ],
)
def test_moments_of_docker(text: str, moment: datetime) -> None:
    assert parse_timestamp(text) == moment


@pytest.mark.parametrize(
    ("state", "desired", "lost"),
    [
        ("running", "running", False),
        ("running", "shutdown", True),
        ("shutdown", "shutdown", False),
        ("complete", "shutdown", False),
    ],
)
def test_a_task_that_swarm_wants_down_and_that_says_nothing_is_lost(
    state: str, desired: str, lost: bool
) -> None:
    task = Task("i", 1, "n", state, desired, "", "c", None, "x")
    assert batch.lost(task) == lost


def test_a_second_look_at_a_log_copies_only_what_is_new(tmp_path: Path) -> None:
    text = bytes(range(256)) * 1000
    with (tmp_path / "copy").open("wb") as file:
        copy = logs._Copy(file.fileno())
        for end in (0, 10, 70_000, 70_000, len(text)):
            out, into = os.pipe()
            writer = threading.Thread(target=lambda end=end, into=into: _fill(into, text[:end]))
            writer.start()
            copy.take(out)
            writer.join()
            os.close(out)
    assert (tmp_path / "copy").read_bytes() == text


def _fill(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def test_what_is_pushed_unpacks_with_its_mode_and_whole(tmp_path: Path) -> None:
    """By the very words that each host runs."""
    program = tmp_path / "it's a $program"
    program.write_bytes(os.urandom(1000))
    program.chmod(0o755)
    (tmp_path / "data").write_bytes(b"new")
    target = tmp_path / "there is no such"
    archive = io.BytesIO()
    names = push.pack((program, tmp_path / "data"), archive)
    target.mkdir()
    (target / "data").write_bytes(b"old")
    held = (target / "data").open("rb")
    for _ in range(2):
        command = ["sh", "-c", push._unpack(str(target), names)]
        done = subprocess.run(command, input=archive.getvalue(), capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(path.name for path in target.iterdir()) == ["data", "it's a $program"]
    assert (target / program.name).read_bytes() == program.read_bytes()
    assert os.access(target / program.name, os.X_OK)
    # a program that runs keeps the file that it has
    assert held.read() == b"old"
    held.close()


def test_what_was_damaged_on_its_way_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"right")
    archive = io.BytesIO()
    names = push.pack((tmp_path / "data",), archive)
    target = tmp_path / "t"
    target.mkdir()
    (target / "data").write_bytes(b"old")
    for damaged in (archive.getvalue().replace(b"right", b"wrong"), archive.getvalue()[:700], b""):
        command = ["sh", "-c", push._unpack(str(target), names)]
        assert subprocess.run(command, input=damaged, capture_output=True).returncode != 0
        assert [path.name for path in target.iterdir()] == ["data"]
        assert (target / "data").read_bytes() == b"old"


def test_what_cannot_be_pushed_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a").write_text("")
    for files, why in (
        ([tmp_path / "no"], "no is missing"),
        ([tmp_path / "d"], "d is a folder"),
        ([tmp_path / "a", tmp_path / "d/a"], "another file has this name"),
    ):
        with pytest.raises(InputError, match=why):
            push.pack(tuple(files), io.BytesIO())


def test_a_key_for_a_job_is_its_users_alone() -> None:
    from mpigen.job import foreground as running

    archive = running._archive("key", b"secret", 0o400, (4321, 4322))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        (entry,) = tar.getmembers()
    assert (entry.name, entry.mode, entry.uid, entry.gid) == ("key", 0o400, 4321, 4322)
    assert running._owner({"User": "10:20"}) == (10, 20)
    with pytest.raises(ClusterError, match="owner of a job's key is not known"):
        running._owner({"User": "mpi"})
