"""The workers' storage in a job's container: the words of `--mount`."""

import csv

from mpigen.job import storage
from mpigen.job.spec import JobSpec

# as engines tell them: of a container, and of a service
BIND = {"Type": "bind", "Source": "/srv/in", "Destination": "/in", "Mode": "", "RW": False}
VOLUME = {
    "Type": "volume",
    "Name": "mpi_data",
    "Source": "/var/lib/docker/volumes/mpi_data/_data",
    "Destination": "/data",
    "RW": True,
}
MEMORY = {"Type": "tmpfs", "Source": "", "Destination": "/dev/shm", "RW": True}
NFS = {
    "Type": "volume",
    "Source": "mpi_home",
    "Target": "/home/all",
    "VolumeOptions": {
        "NoCopy": True,
        "Labels": {"com.docker.stack.namespace": "mpi"},
        "DriverConfig": {
            "Name": "local",
            "Options": {"type": "nfs", "o": "addr=files,rw,hard", "device": ":/export"},
        },
    },
}


def test_what_a_worker_here_has_is_mounted_by_name() -> None:
    assert storage.words(storage.local(BIND)) == "type=bind,source=/srv/in,target=/in,readonly=true"
    assert storage.words(storage.local(VOLUME)) == "type=volume,source=mpi_data,target=/data"
    assert storage.local(MEMORY) == {}


def test_the_volume_of_a_file_server_has_its_options() -> None:
    (fields,) = csv.reader([storage.words(storage.declared(NFS))])
    assert fields == [
        "type=volume",
        "source=mpi_home",
        "target=/home/all",
        "volume-nocopy=true",
        "volume-driver=local",
        "volume-label=com.docker.stack.namespace=mpi",
        "volume-opt=type=nfs",
        "volume-opt=o=addr=files,rw,hard",
        "volume-opt=device=:/export",
    ]
    read_only = {"Type": "bind", "Source": "/srv/in", "Target": "/in", "ReadOnly": True}
    assert storage.declared(read_only) == storage.local(BIND)
    assert storage.declared({"Type": "tmpfs", "Target": "/dev/shm"}) == {}


def test_a_mount_of_the_jobs_own_wins() -> None:
    own = ("type=bind,src=/here,dst=/data/", '"type=volume","target=/other"')
    job = JobSpec("j", (), "", mounts=own)
    mounts = [storage.local(each) for each in (BIND, VOLUME, MEMORY)]
    done = storage._with(job, mounts)
    assert done.mounts == (*own, storage.words(storage.local(BIND)))
