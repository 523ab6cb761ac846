"""mpi-bench in the rendered image."""

from pathlib import Path

import pytest

from mpigen.mpi import IMPLEMENTATIONS
from mpigen.mpi.base import Implementation
from tests import sites
from tests.conftest import Mpigen


def test_mpi_bench_is_in_the_image_only_where_it_is_asked_for(
    tmp_path: Path, mpigen: Mpigen
) -> None:
    output = tmp_path / "output"
    (tmp_path / "mpigen.yaml").write_text("name: x\n")
    assert mpigen("render", "-c", tmp_path / "mpigen.yaml").code == 0
    assert not list(output.rglob("*mpi-bench*"))
    assert "bench" not in (output / "Dockerfile").read_text()
    (tmp_path / "mpigen.yaml").write_text("name: x\nimage: {bench: true}\n")
    assert mpigen("render", "-c", tmp_path / "mpigen.yaml").code == 0
    found = {path.relative_to(output).as_posix() for path in output.rglob("*mpi-bench*")}
    assert found == {"rootfs/usr/local/bin/mpi-bench", "rootfs/usr/local/src/mpi-bench.c"}
    source = (output / "rootfs/usr/local/src/mpi-bench.c").read_text()
    assert source.startswith("/* mpigen copies this file as it is")


@pytest.mark.parametrize(("mpi", "words_of"), sorted(IMPLEMENTATIONS.items()))
def test_one_rank_a_host_in_the_words_of_each_mpi(
    tmp_path: Path, mpigen: Mpigen, mpi: str, words_of: Implementation
) -> None:
    text = f"name: x\nimage: {{bench: true}}\n{sites.mpi_section(mpi)}"
    (tmp_path / "mpigen.yaml").write_text(text)
    assert mpigen("render", "-c", tmp_path / "mpigen.yaml").code == 0
    conf = (tmp_path / "output/rootfs/etc/mpi/cluster.conf").read_text()
    assert f"one_rank_per_host = {' '.join(words_of.one_a_host)}\n" in conf


def test_its_stage_begins_as_the_programs_does(tmp_path: Path) -> None:
    """So that compilers are installed once; a site's own block of it is in both."""
    (tmp_path / "app").mkdir()
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    own = """{% extends "builtin/Dockerfile.j2" %}{% block build_base %}
RUN echo a mirror
{% endblock %}"""
    sites.template(tmp_path, "Dockerfile.j2", own)
    text = "name: x\napp: {source: app}\nimage: {bench: true, ca: ca.pem, build_env: {A: b}}\n"
    made = sites.artifacts(tmp_path, text)["Dockerfile"].text
    program, _, bench = made.partition(" AS build\n")[2].partition(" AS bench\n")
    same = bench.partition("COPY rootfs/usr/local/src/mpi-bench.c")[0]
    assert "RUN echo a mirror" in same and "ENV A=b" in same and "apt-get install" in same
    assert program.startswith(same)


def test_its_stage_has_certificates_without_a_program_too(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    made = sites.artifacts(tmp_path, "name: x\nimage: {bench: true, ca: ca.pem}\n")
    assert made["Dockerfile"].text.count("COPY ca.pem") == 1
    assert '"$site"/ca.pem' in made["scripts/build.sh"].text
