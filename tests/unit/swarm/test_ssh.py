"""How an engine behind ssh is addressed, and what is said when ssh fails."""

import os
from pathlib import Path

import pytest

from mpigen.errors import ClusterError
from mpigen.swarm import engine, ssh

DIAL = ["docker", "system", "dial-stdio"]


@pytest.mark.parametrize(
    ("url", "server", "command"),
    [
        ("ssh://alpha", ["--", "alpha"], DIAL),
        # a name of ~/.ssh/config, which tells capitals apart
        ("ssh://Alpha", ["--", "Alpha"], DIAL),
        ("ssh://you@alpha:2222", ["-p", "2222", "-l", "you", "--", "alpha"], DIAL),
        ("ssh://you@[fd00::1]:22", ["-p", "22", "-l", "you", "--", "fd00::1"], DIAL),
        # no option of ssh, whoever wrote it
        ("ssh://-oProxyCommand=id", ["--", "-oProxyCommand=id"], DIAL),
        (
            "ssh://you@alpha/run/user/1000/docker sock",
            ["-l", "you", "--", "alpha"],
            ["docker", "--host", "'unix:///run/user/1000/docker sock'", "system", "dial-stdio"],
        ),
    ],
)
def test_a_url_names_server_and_socket_as_for_docker(
    url: str, server: list[str], command: list[str]
) -> None:
    assert ssh.words(url) == (server, command)


@pytest.mark.parametrize("url", ["ssh://", "ssh://you:secret@alpha", "ssh://alpha:port"])
def test_other_urls_are_refused_and_no_password_is_printed(url: str) -> None:
    with pytest.raises(ClusterError, match="is not an address of an engine") as error:
        ssh.words(url)
    assert "secret" not in error.value.message


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "echo 'Welcome, all is logged' >&2; echo 'Host key verification failed.' >&2; exit 255",
            "ssh ended with 255: Host key verification failed.",
        ),
        (
            "echo 'sh: 1: docker: not found' >&2; exit 127",
            "ssh ended with 127: sh: 1: docker: not found",
        ),
        ("exit 1", "ssh ended with 1"),
        # a shell's start file that prints
        ("echo hello from .bashrc", "ssh ended with 0: it answered 'hello from .bashrc'"),
    ],
)
def test_a_failed_login_is_one_sentence_with_ssh_s_last_line(
    script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ssh").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    where = engine.Endpoint("ssh://you@alpha:2222", "docker context alpha")
    with pytest.raises(ClusterError) as error:
        engine.client_of(where)
    beginning = "no Docker engine answers at ssh://you@alpha:2222 (docker context alpha): "
    assert error.value.message == beginning + said
    assert error.value.hint == (
        "Try it by hand: ssh -p 2222 -l you alpha docker version. "
        "docker context alpha sets this address."
    )
