"""What differs between MPIs and bases, as it is rendered."""

from pathlib import Path

import pytest

from tests.conftest import Mpigen


def _output(folder: Path, mpigen: Mpigen, text: str) -> Path:
    (folder / "mpigen.yaml").write_text(text)
    done = mpigen("render", "-c", str(folder / "mpigen.yaml"))
    assert done.code == 0, done.err
    return folder / "output"


@pytest.fixture
def mpich(tmp_path: Path, mpigen: Mpigen) -> Path:
    params = "params: {UCX_TLS: 'tcp,self', MPIR_CVAR_DEBUG_SUMMARY: 1}"
    return _output(tmp_path, mpigen, f"name: x\nmpi: {{implementation: mpich, {params}}}\n")


def test_each_mpi_has_its_own_parameter_files(mpich: Path, tmp_path: Path, mpigen: Mpigen) -> None:
    files = {path.name for path in (mpich / "rootfs/etc/mpi").glob("*-params.conf")}
    assert files == {"mpich-params.conf"}
    said = (mpich / "rootfs/etc/mpi/mpich-params.conf").read_text()
    # both interfaces, or a job on several nodes hangs
    assert {"HYDRA_IFACE = @interface@", "UCX_NET_DEVICES = @interface@"} < set(said.splitlines())
    assert "UCX_TLS = tcp,self\n" in said and "MPIR_CVAR_DEBUG_SUMMARY = 1\n" in said
    assert "openmpi" not in (mpich / "Dockerfile").read_text()
    (tmp_path / "other").mkdir()
    other = _output(tmp_path / "other", mpigen, "name: x\n")
    files = {path.name for path in (other / "rootfs/etc/mpi").glob("*-params.conf")}
    assert files == {"openmpi-mca-params.conf", "prte-mca-params.conf"}


def test_threads_are_told_to_ranks_and_taken_from_slots(tmp_path: Path, mpigen: Mpigen) -> None:
    groups = "[{name: a, cpus: 8, threads: 4}, {name: b-2, slots: 3}]"
    output = _output(tmp_path, mpigen, f"name: x\nworkers: {groups}\n")
    workers = (output / "rootfs/etc/mpi/workers").read_text().splitlines()
    assert workers[3:] == ["a 2 2 4 number", "b-2 2 3 0 number"]
    conf = output / "rootfs/etc/mpi/cluster.conf"
    assert "set_threads = yes\n" in conf.read_text()
    output = _output(tmp_path, mpigen, "name: x\n")
    assert "set_threads = no\n" in conf.read_text()


def test_only_open_mpi_has_words_for_naps_and_shares_a_folder(
    mpich: Path, tmp_path: Path, mpigen: Mpigen
) -> None:
    (tmp_path / "other").mkdir()
    other = _output(tmp_path / "other", mpigen, "name: x\n")
    for output, there in ((mpich, False), (other, True)):
        conf = (output / "rootfs/etc/mpi/cluster.conf").read_text()
        assert ("nanosleep" in conf) == there
        assert ("/tmp/ompi\n" in conf) == there


def test_many_containers_are_started_without_a_tree(tmp_path: Path, mpigen: Mpigen) -> None:
    output = _output(tmp_path, mpigen, "name: x\nworkers: [{replicas: 120}]\n")
    said = (output / "rootfs/etc/mpi/prte-mca-params.conf").read_text()
    assert "plm_ssh_no_tree_spawn = 1\n" in said
    # 120 containers, as many nodes, and two more: more than a /24 holds less two
    assert '- subnet: "10.77.0.0/24"\n' in (output / "stack.yml").read_text()


@pytest.mark.parametrize(
    ("replicas", "subnet"),
    [(2, "10.77.0.0/24"), (127, "10.77.0.0/23"), (1000, "10.77.0.0/21"), (60000, "10.76.0.0/15")],
)
def test_a_subnet_that_is_not_named_is_large_enough(
    replicas: int, subnet: str, tmp_path: Path, mpigen: Mpigen
) -> None:
    output = _output(tmp_path, mpigen, f"name: x\nworkers: [{{replicas: {replicas}}}]\n")
    assert f'- subnet: "{subnet}"\n' in (output / "stack.yml").read_text()


def test_a_newer_docker_asks_a_new_worker_more_often(tmp_path: Path, mpigen: Mpigen) -> None:
    stack = (_output(tmp_path, mpigen, "name: x\n") / "stack.yml").read_text()
    assert 'version: "3.8"\n' in stack and "start_interval" not in stack
    text = "name: x\nengine: {minimum: '25.0'}\n"
    stack = (_output(tmp_path, mpigen, text) / "stack.yml").read_text()
    assert 'version: "3.12"\n' in stack and "start_interval: 500ms\n" in stack


def test_networks_of_other_kinds(tmp_path: Path, mpigen: Mpigen) -> None:
    text = "name: x\nnetwork: {internal: true, encrypted: true, mtu: 9000}\n"
    stack = (_output(tmp_path, mpigen, text) / "stack.yml").read_text()
    assert "internal: true\n" in stack and 'encrypted: ""\n' in stack
    text = "name: x\nnetwork: {name: fabric, external: true, subnet: 10.9.0.0/24}\n"
    output = _output(tmp_path, mpigen, text)
    assert '  "fabric":\n' in (output / "stack.yml").read_text()
    assert "--network fabric \\" in (output / "scripts/run.sh").read_text()
    assert "network inspect" not in (output / "scripts/down.sh").read_text()


def test_python_has_its_packages_and_sources_where_jobs_start(
    tmp_path: Path, mpigen: Mpigen
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "ca.pem").write_text("")
    text = "name: x\napp: {source: app, python: [mpi4py, 'numpy>=2']}\nimage: {ca: ca.pem}\n"
    output = _output(tmp_path, mpigen, text)
    dockerfile = (output / "Dockerfile").read_text()
    assert "--no-binary mpi4py mpi4py 'numpy>=2'\n" in dockerfile
    assert "make install" not in dockerfile
    # the certificates are in no stage that is kept
    build, _, kept = dockerfile.partition("COPY rootfs/")
    assert "site-ca" in build and "site-ca" not in kept
    assert "ENV PATH=/opt/app/bin:/opt/venv/bin:" in kept
    assert 'cp "$site"/ca.pem "$context/ca.pem"' in (output / "scripts/build.sh").read_text()
