"""The container of a job in the foreground."""

import io
import tarfile

import pytest

from mpigen.errors import ClusterError


def test_a_key_for_a_job_is_its_users_alone() -> None:
    from mpigen.job import foreground as running

    archive = running._archive("key", b"secret", 0o400, (4321, 4322))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        (entry,) = tar.getmembers()
    assert (entry.name, entry.mode, entry.uid, entry.gid) == ("key", 0o400, 4321, 4322)
    assert running._owner({"User": "10:20"}) == (10, 20)
    with pytest.raises(ClusterError, match="owner of a job's key is not known"):
        running._owner({"User": "mpi"})
