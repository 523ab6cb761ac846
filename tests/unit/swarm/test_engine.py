"""The engine that `docker` would talk to."""

import subprocess
from pathlib import Path

import pytest

from mpigen.cli.build import _next_on
from mpigen.errors import ClusterError
from mpigen.image import distribute
from mpigen.lab import engine
from mpigen.swarm import engine as swarm_engine


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "mpigen"


def test_docker_host_says_where_the_engine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2376")
    assert swarm_engine.endpoint() == swarm_engine.Endpoint("tcp://10.0.0.1:2376", "DOCKER_HOST")
    with pytest.raises(ClusterError, match=r"DOCKER_HOST names tcp://10\.0\.0\.1:2376"):
        engine.local_endpoint()


def test_inside_a_labs_context_the_labs_own_engine_is_used(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = state / "lab" / "node-1" / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    assert swarm_engine.endpoint().url == f"unix://{socket}"
    assert engine.local_endpoint().url == "unix:///var/run/docker.sock"
    (state / "lab").mkdir(parents=True)
    (state / "lab" / "engine").write_text("unix:///run/user/1000/docker.sock")
    assert engine.local_endpoint().url == "unix:///run/user/1000/docker.sock"


def test_a_silent_engine_is_an_error_with_a_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(ClusterError, match="no Docker engine answers at unix://") as error:
        swarm_engine.reach()
    assert (
        error.value.hint == "Start that engine, or use another one: DOCKER_HOST sets this address."
    )


def test_after_a_build_elsewhere_the_next_command_is_on_the_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    url = "ssh://you@alpha"
    servers = distribute.remotes({"beta": "ssh://you@beta", "alpha": url}, "a test")
    create = "docker context create alpha --docker host=ssh://you@alpha"
    after = _next_on(url, servers, Path("output"))
    assert after == f"next: {create} && mpigen deploy --context alpha"
    subprocess.run(create.replace("create alpha", "create mine"), shell=True, check=True)
    after = _next_on(url, servers, Path("output"))
    assert after == "next: mpigen deploy --context mine"
