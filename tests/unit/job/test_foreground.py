"""The container of a job in the foreground."""

import io
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from mpigen.errors import ClusterError


def test_a_key_for_a_job_is_its_users_alone() -> None:
    from mpigen.job import foreground as running

    archive = running._archive({"key": (b"secret", 0o400), "key.pub": (b"p", 0o444)}, (4321, 4322))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        key, public = tar.getmembers()
    assert (key.name, key.mode, key.uid, key.gid) == ("key", 0o400, 4321, 4322)
    # the last: a container that sees it has the key, whole
    assert public.name == "key.pub"
    assert running._owner({"User": "10:20"}) == (10, 20)
    with pytest.raises(ClusterError, match="owner of a job's key is not known"):
        running._owner({"User": "mpi"})


def test_a_container_waits_for_its_key_and_then_becomes_the_job(tmp_path: Path) -> None:
    from mpigen.job import foreground as running

    script = running._AWAIT_KEY.replace("/etc/mpi", str(tmp_path))
    words = ["sh", "-c", script, "job", "echo", "a  b", "c"]
    job = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    key = tmp_path / "id_ed25519"
    key.touch()
    time.sleep(0.3)
    assert job.poll() is None
    (tmp_path / "id_ed25519.pub").touch()
    assert job.communicate(timeout=10) == ("a  b c\n", None)


def test_a_container_whose_key_never_comes_ends(tmp_path: Path) -> None:
    from mpigen.job import foreground as running

    script = running._AWAIT_KEY.replace("/etc/mpi", str(tmp_path)).replace("=600", "=3")
    done = subprocess.run(
        ["sh", "-c", script, "job", "echo", "begun"], capture_output=True, text=True, timeout=10
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "no key has arrived for this job" in done.stderr
