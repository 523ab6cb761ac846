"""Images of groups that have packages of their own: their names, and how they are rendered."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mpigen import site
from mpigen.artifacts import folder
from mpigen.notation import image_names
from mpigen.swarm import placement
from tests import sites
from tests.conftest import Mpigen

TEXT = """\
name: x
image: {packages: [less]}
workers:
  - {name: cpu}
  - {name: gpu-a, packages: [file, bc], constraints: [node.labels.gpu==a]}
  - {name: gpu-b, packages: [bc, less, file], constraints: [node.labels.gpu==b]}
  - {name: doc, packages: [man-db]}
  - {name: same, packages: [less, openssh-server]}
"""


@pytest.mark.parametrize(
    ("image", "variant"),
    [
        ("mpi:latest", "mpi:latest-gpu"),
        ("mpi", "mpi:latest-gpu"),
        ("registry:5000/x/mpi:1", "registry:5000/x/mpi:1-gpu"),
        ("registry:5000/x/mpi", "registry:5000/x/mpi:latest-gpu"),
        ("mpi:sha-0123456789ab", "mpi:sha-0123456789ab-gpu"),
    ],
)
def test_a_variant_is_a_tag_beside_that_of_the_image(image: str, variant: str) -> None:
    assert image_names.add_variant(image, "gpu") == variant
    assert image_names.add_variant(image, "") == image_names.strip_variant(image, "") == image
    assert image_names.strip_variant(variant, "gpu") in (image, f"{image}:latest")


def test_an_image_by_digest_is_its_own_base() -> None:
    digest = f"registry:5000/mpi@sha256:{'0' * 64}"
    assert image_names.strip_variant(digest, "gpu") == digest


def test_groups_of_the_same_packages_share_an_image(tmp_path: Path) -> None:
    files = sites.artifacts(tmp_path, TEXT)
    services = yaml.safe_load(files["stack.yml"].text)["services"]
    assert {name: each["image"] for name, each in services.items()} == {
        "cpu": "x:latest",
        "gpu-a": "x:latest-gpu-a",
        "gpu-b": "x:latest-gpu-a",
        "doc": "x:latest-doc",
        "same": "x:latest",
    }
    dockerfile = files["Dockerfile"].text
    stages = re.findall(r"^FROM (.*)$", dockerfile, re.M)
    assert stages[0] == "debian:trixie-slim AS runtime"
    assert stages[1:] == ["runtime AS group-gpu-a", "runtime AS group-doc"]
    # each goes back to the unprivileged user
    users = [part.rpartition("USER ")[2].split()[0] for part in dockerfile.split("FROM ")[1:]]
    assert users == ["1000:1000"] * 3
    built = re.findall(
        r"^docker build --force-rm --target (\S+) --tag (\S+)", files["scripts/build.sh"].text, re.M
    )
    assert built == [
        ("runtime", "x:latest"),
        ("group-gpu-a", "x:latest-gpu-a"),
        ("group-doc", "x:latest-doc"),
    ]


def test_an_image_that_deploy_is_told_of_is_each_groups_own(tmp_path: Path) -> None:
    script = sites.artifacts(tmp_path, TEXT)["scripts/deploy.sh"].text
    over = script[script.index("\nover=\n") : script.index("# Swarm accepts a network whose")]
    # a docker that has none of the images
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    said = {
        "IMAGE": "r:5000/x:2",
        "IMAGE_DOC": "r:5000/x@sha256:1",
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["sh", "-euc", f'stack=x\n{over}\necho "$over"'],
        env=said,
        capture_output=True,
        text=True,
        check=True,
    )
    images = {name: each["image"] for name, each in yaml.safe_load(done.stdout)["services"].items()}
    assert images == {
        "cpu": "r:5000/x:2",
        "gpu-a": "r:5000/x:2-gpu-a",
        "gpu-b": "r:5000/x:2-gpu-a",
        "doc": "r:5000/x@sha256:1",
        "same": "r:5000/x:2",
    }


def test_what_is_rendered_passes_the_linters_and_no_warning_is_said(
    tmp_path: Path, mpigen: Mpigen
) -> None:
    (tmp_path / "mpigen.yaml").write_text(TEXT)
    assert site.render_site(site.at([tmp_path / "mpigen.yaml"], None)).warnings == ()
    assert mpigen("render", "-c", tmp_path / "mpigen.yaml").code == 0
    output = tmp_path / "output"
    scripts = sorted((output / "scripts").iterdir())
    for linter, files in (("hadolint", [output / "Dockerfile"]), ("shellcheck", scripts)):
        command = [Path(sys.executable).with_name(linter), *files]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    read = folder.read(output)
    assert [group.variant for group in read.groups] == ["", "gpu-a", "gpu-a", "doc", ""]
    assert read.images == {"": "x:latest", "gpu-a": "x:latest-gpu-a", "doc": "x:latest-doc"}


def test_a_variant_is_looked_for_where_its_groups_may_be(tmp_path: Path, mpigen: Mpigen) -> None:
    (tmp_path / "mpigen.yaml").write_text(TEXT)
    assert mpigen("render", "-c", tmp_path / "mpigen.yaml").code == 0
    read = folder.read(tmp_path / "output")
    assert placement.constraint_sets(read, "gpu-a") == [
        ("node.labels.gpu==a",),
        ("node.labels.gpu==b",),
    ]
    assert placement.constraint_sets(read, "doc") == [()]
    # a job may be started wherever a worker may be
    assert len(placement.constraint_sets(read)) == 3
    (tmp_path / "mpigen.yaml").write_text(
        f"{TEXT}launcher: {{constraints: [node.role==manager]}}\n"
    )
    assert mpigen("render", "-c", tmp_path / "mpigen.yaml").code == 0
    # where the launcher is, it is needed too
    assert ("node.role==manager",) in placement.constraint_sets(folder.read(tmp_path / "output"))
