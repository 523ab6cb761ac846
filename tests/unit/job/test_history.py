"""The history of foreground jobs: right whoever writes at once, and whoever is killed."""

import json
import multiprocessing
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mpigen.errors import ClusterError
from mpigen.job import history, spec
from mpigen.job.hosts import Hosts
from mpigen.swarm.deployment import Deployment

HOSTS = Hosts("x", {"cpu": 3}, {"cpu": 2}, {}, known=True)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "mpigen/jobs.jsonl"


def deployment(engine: str = "e", stack: str = "s") -> Deployment:
    """Of an engine that only says who it is."""
    client = SimpleNamespace(info=lambda: {"ID": engine, "Name": f"node-{engine}"})
    return Deployment(cast(Any, SimpleNamespace(client=client)), cast(Any, None), stack)


def run(name: str, code: int | None, engine: str = "e", stack: str = "s", fault: str = "") -> None:
    job = spec.mpirun(name, ("hello",), 4, (), (), (), None, mpi="openmpi")
    on = deployment(engine, stack)
    with history.recorded(on, HOSTS, job, f"id-{name}", print) as ended:
        if fault:
            raise ClusterError(fault)
        if code is not None:
            ended(code)


def some(first: int) -> None:
    for number in range(first, first + 25):
        run(f"j{number}", number % 3)


def test_200_jobs_of_eight_processes_are_all_there(state: Path) -> None:
    """With one that is killed in between, and leaves a torn line."""
    with multiprocessing.get_context("fork").Pool(8) as pool:
        pool.map(some, range(0, 100, 25))
        with state.open("ab") as file:
            file.write(b'{"begin": {"id": "torn", "na')
        pool.map(some, range(100, 200, 25))
    jobs = {job.name: job for job in history.jobs("s", "e")}
    assert sorted(jobs) == sorted(f"j{number}" for number in range(200))
    for number in range(200):
        job = jobs[f"j{number}"]
        code = number % 3
        assert (job.exit_code, job.state) == (code, "done" if code == 0 else "failed")
        assert job.ended and job.ended >= job.created
        assert (job.user, job.node, job.slots) == (spec.who(), "node-e", {"cpu": 4})
    assert state.stat().st_mode & 0o777 == 0o600


def test_jobs_of_other_engines_and_stacks_are_not_listed() -> None:
    run("a", 0)
    run("b", 0, engine="f")
    run("c", 0, stack="t")
    assert [job.name for job in history.jobs("s", "e")] == ["a"]


def test_a_job_of_which_nobody_saw_the_end_says_so() -> None:
    pid = os.fork()
    if not pid:
        job = spec.mpirun("gone", ("hello",), 4, (), (), (), None, mpi="openmpi")
        with history.recorded(deployment(), HOSTS, job, "id", print):
            os._exit(9)
    os.waitpid(pid, 0)
    (job,) = history.jobs("s", "e")
    assert (job.state, job.exit_code, job.ended) == ("unknown", None, None)
    assert "its end is unknown" in job.error


def test_a_job_that_failed_without_an_exit_code_has_its_reason() -> None:
    with pytest.raises(ClusterError):
        run("a", None, fault="the engine was lost")
    (job,) = history.jobs("s", "e")
    assert (job.state, job.exit_code, job.error) == ("failed", None, "the engine was lost")


def test_a_job_runs_where_its_history_cannot_be_written(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state.parent.write_text("a file where the folder should be")
    run("a", 0)
    assert "note: this job is not in the history" in capsys.readouterr().out


def test_what_is_forgotten_is_gone_and_the_rest_stays() -> None:
    for name in "abc":
        run(name, 0)
    history.forget({"id-b"})
    assert [job.name for job in history.jobs("s", "e")] == ["a", "c"]


def test_the_file_is_bounded(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_BYTES", 4000)
    for number in range(40):
        run(f"j{number}", 0)
        assert state.stat().st_size < 5000
    names = [job.name for job in history.jobs("s", "e")]
    assert names[-1] == "j39" and 3 < len(names) < 20


def test_lines_that_mean_nothing_are_passed_over(state: Path) -> None:
    run("a", 0)
    with state.open("a") as file:
        for line in ("[]", '{"begin": 1}', '{"end": {"id": "id-a"}}', "\x00", '{"begin": {}}'):
            file.write(line + "\n")
        file.write(json.dumps({"begin": {"stack": "s", "engine": "e", "id": "x"}}) + "\n")
    assert [job.state for job in history.jobs("s", "e")] == ["done"]
