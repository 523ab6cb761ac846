"""Errors of the Docker SDK are told in one good sentence."""

import socket
import threading
from functools import partial
from pathlib import Path

import pytest

from mpigen.errors import ClusterError
from mpigen.swarm import engine, failures


def said(url: str, timeout: float = 60) -> str:
    with pytest.raises(ClusterError) as error:
        engine.client_of(engine.Endpoint(url, "DOCKER_HOST"), timeout)
    return error.value.message


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/none.sock"
    expected = f"no Docker engine answers at {url} (DOCKER_HOST): No such file or directory"
    assert said(url) == expected


def test_a_socket_that_nobody_listens_on(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"{tmp_path}/old.sock")
    assert said(f"unix://{tmp_path}/old.sock").endswith("(DOCKER_HOST): Connection refused")


def test_a_socket_of_others_is_told_in_the_systems_words() -> None:
    # as the SDK has it; root may open any socket
    refused = PermissionError(13, "Permission denied")
    wrapped = ConnectionError(("Connection aborted.", refused))
    wrapped.__context__ = refused
    assert failures.in_words(wrapped) == "Permission denied"


def test_a_port_that_nobody_listens_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert said(f"tcp://127.0.0.1:{port}").endswith("(DOCKER_HOST): Connection refused")


def test_an_engine_that_is_silent_is_told_as_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        assert said(url, 1).endswith("(DOCKER_HOST): no answer within 1 s")
        client = partial(engine.client_of, timeout=1)
        monkeypatch.setattr(engine, "client_of", client)
        monkeypatch.setenv("DOCKER_HOST", url)
        with pytest.raises(ClusterError) as error:
            engine.reach()
        assert error.value.hint.startswith("It accepts connections, but is slow or hangs")


def test_an_engine_that_closes_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:

        def close() -> None:
            with closing.accept()[0] as client:
                client.recv(1000)

        threading.Thread(target=close, daemon=True).start()
        url = f"tcp://127.0.0.1:{closing.getsockname()[1]}"
        assert said(url).endswith("it closes the connection without an answer")
