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
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    text = "name: x\napp: {source: app, python: [mpi4py, 'numpy>=2']}\nimage: {ca: ca.pem}\n"
    output = _output(tmp_path, mpigen, text)
    dockerfile = (output / "Dockerfile").read_text()
    # mpi4py's wheels work with every MPI of the images: compiling it took minutes
    assert "pip install --no-cache-dir mpi4py 'numpy>=2'\n" in dockerfile
    assert "make install" not in dockerfile
    # the certificates are in no stage that is kept
    build, _, kept = dockerfile.partition("COPY rootfs/")
    assert "site-ca" in build and "site-ca" not in kept
    # an MPI among the packages has an mpirun: ours goes first, in containers, logins and shells
    path = "/usr/local/libexec/mpi:/opt/app/bin:/opt/venv/bin"
    # then the base image's; an empty word would mean the folder that one is in
    assert f"ENV PATH={path}:${{PATH:-/usr/local/bin:/usr/bin:/bin}}\n" in kept
    assert "install -D -t /usr/local/libexec/mpi /usr/local/bin/mpirun" in kept
    assert "read -r PATH < /run/mpi/path" in (output / "rootfs/etc/profile.d/mpi.sh").read_text()
    assert 'cp "$site"/ca.pem "$context/ca.pem"' in (output / "scripts/build.sh").read_text()


def test_no_framework_of_open_mpi_takes_another_network(tmp_path: Path, mpigen: Mpigen) -> None:
    """One-sided communication by UCX adds up wrongly on Open MPI 4, and complains on 5."""
    output = _output(tmp_path, mpigen, "name: x\n")
    said = (output / "rootfs/etc/mpi/openmpi-mca-params.conf").read_text()
    params = dict(line.split(" = ") for line in said.splitlines() if " = " in line)
    excluded = {name: value[1:].split(",") for name, value in params.items() if value[0] == "^"}
    assert params["pml"] == "ob1"
    for name, components in {
        "osc": {"ucx"},
        "spml": {"ucx"},
        "atomic": {"ucx"},
        "btl": {"uct", "ofi", "openib", "usnic"},
        "mtl": {"ofi", "psm2"},
        "coll": {"ucc", "hcoll"},
        "scoll": {"ucc"},
    }.items():
        assert components <= set(excluded[name]), name


def test_files_of_all_ranks_are_romios(tmp_path: Path, mpigen: Mpigen) -> None:
    """Where hosts share no storage, OMPIO hangs for ever as it opens one."""
    output = _output(tmp_path, mpigen, "name: x\n")
    said = (output / "rootfs/etc/mpi/openmpi-mca-params.conf").read_text().splitlines()
    # more than OMPIO's priority, of Open MPI 4 and 5
    assert {"io_romio321_priority = 100", "io_romio341_priority = 100"} < set(said)


def test_the_daemons_of_open_mpi_6_find_their_parameters(tmp_path: Path, mpigen: Mpigen) -> None:
    """Without them every rank ran in the job's own container, and the job ended with 0."""
    output = _output(tmp_path, mpigen, "name: x\n")
    dockerfile = (output / "Dockerfile").read_text()
    for folder in ("openmpi", "prrte"):
        link = f"/run/mpi/prte-mca-params.conf /etc/{folder}/prte-mca-params.conf"
        assert f"install -d /etc/{folder} && ln -sf {link}" in dockerfile
    said = (output / "rootfs/etc/mpi/prte-mca-params.conf").read_text().splitlines()
    # the same by the names of PRRTE 3 and 4
    for name, value in (("time", 10), ("intvl", 5), ("probes", 3)):
        for prefix in ("oob_tcp", "prte"):
            assert f"{prefix}_keepalive_{name} = {value}" in said


def test_a_locale_that_is_not_there_is_no_reason_to_complain(mpich: Path) -> None:
    """2 KB of perl's warnings for each rank, with `mpigen run -e LANG=de_DE.UTF-8`."""
    assert "\nENV PERL_BADLANG=0\n" in (mpich / "Dockerfile").read_text()
    # sshd takes the first of such lines alone: the one of the entrypoint, with all of the image's
    assert "SetEnv" not in (mpich / "rootfs/etc/mpi/sshd_config").read_text().replace(
        "and SetEnv", ""
    )
