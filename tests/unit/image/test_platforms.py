"""Images for several platforms: their names, who builds them, and who gets which."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from mpigen.artifacts import folder
from mpigen.artifacts.folder import Artifacts
from mpigen.image import content, distribute, platforms, registry
from mpigen.image.distribute import Remote
from mpigen.notation import image_names
from mpigen.swarm import placement
from mpigen.swarm.engine import Endpoint, Engine, client_of
from mpigen.swarm.nodes import Node
from tests.conftest import Mpigen

BOTH = ("linux/amd64", "linux/arm64")


class _Version(BaseHTTPRequestHandler):
    """Answers what the SDK asks an engine before all else: its API, and its processor."""

    arch = ""

    def do_GET(self) -> None:
        body = json.dumps({"ApiVersion": "1.41", "Version": "20.10", "Arch": self.arch}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def remotes() -> Iterator[dict[str, Remote]]:
    """Servers with three kinds of processors; this machine has only one of them."""
    with ExitStack() as stack:
        found = {}
        for arch in ("amd64", "arm64", "s390x"):
            handler = type(arch, (_Version,), {"arch": arch})
            server = stack.enter_context(HTTPServer(("127.0.0.1", 0), handler))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            url = f"tcp://127.0.0.1:{server.server_address[1]}"
            found[arch] = Remote(arch, Endpoint(url, "the test"))
        yield found


def engine(remote: Remote) -> Engine:
    return Engine(client_of(remote.where), remote.where)


def rendered(site: Path, mpigen: Mpigen, image: str) -> Artifacts:
    (site / "mpigen.yaml").write_text(f"name: x\nimage: {image}\n")
    done = mpigen("render", "-c", site / "mpigen.yaml")
    assert done.code == 0, done.err
    return folder.read(site / "output")


def test_each_node_gets_the_image_for_its_processor(remotes: dict[str, Remote]) -> None:
    amd, arm, other = remotes.values()
    groups, faults = distribute.by_platform([arm, amd, other], BOTH)
    assert groups == {"linux/amd64": [amd], "linux/arm64": [arm]}
    (fault,) = faults
    assert fault.message == (
        "s390x has linux/s390x, and image.platforms names linux/amd64 and linux/arm64"
    )
    assert "image.platforms" in fault.hint


def test_one_image_is_for_all_nodes_since_some_may_emulate(remotes: dict[str, Remote]) -> None:
    nodes = [*remotes.values()]
    assert distribute.by_platform(nodes, ["linux/arm64"]) == ({"linux/arm64": nodes}, [])
    assert distribute.by_platform(nodes, []) == ({"": nodes}, [])


def test_an_engine_of_the_processor_builds_and_else_the_first(
    remotes: dict[str, Remote], tmp_path: Path, mpigen: Mpigen
) -> None:
    amd, arm, other = map(engine, remotes.values())
    both = rendered(tmp_path, mpigen, "{platforms: [linux/amd64, linux/arm64]}")
    assert platforms.builders(both, amd, []) == {"linux/amd64": amd, "linux/arm64": amd}
    assert platforms.builders(both, amd, [other, arm]) == {"linux/amd64": amd, "linux/arm64": arm}
    assert platforms.builders(both, other, [arm]) == {"linux/amd64": other, "linux/arm64": arm}
    own = rendered(tmp_path, mpigen, "{}")
    assert platforms.builders(own, other, []) == {"": other}


def test_names_differ_only_between_several_platforms(tmp_path: Path, mpigen: Mpigen) -> None:
    both = rendered(tmp_path, mpigen, "{platforms: [linux/amd64, linux/arm64]}")
    assert platforms.name_of(both, "mpi:1-gpu", "linux/arm64") == "mpi:1-gpu.arm64"
    one = rendered(tmp_path, mpigen, "{platforms: [linux/arm64]}")
    assert platforms.name_of(one, "mpi:1", "linux/arm64") == "mpi:1"
    assert image_names.add_architecture("h:5/debian", "arm64") == "h:5/debian:latest.arm64"
    digest = image_names.add_architecture("debian@sha256:ab", "arm64")
    assert digest == "debian:sha256-ab.arm64"


def test_the_context_and_the_base_of_a_platform(tmp_path: Path, mpigen: Mpigen) -> None:
    contexts = {}
    for image in ("{}", "{platforms: [linux/amd64]}", "{platforms: [linux/arm64]}"):
        read = rendered(tmp_path, mpigen, image)
        contexts[image] = content.hash_context(read, tmp_path)
        dockerfile = (read.folder / "Dockerfile").read_text()
        assert content.bases(dockerfile) == ["debian:trixie-slim"]
    assert len(set(contexts.values())) == 3


@pytest.mark.parametrize(
    ("machine", "wanted", "said"),
    [
        ("x86_64", BOTH, ""),
        ("aarch64", ("linux/arm64",), ""),
        ("aarch64", (), ""),
        ("", BOTH, ""),
        (
            "aarch64",
            ("linux/amd64",),
            "its processor is aarch64, and the image is for linux/amd64",
        ),
        (
            "riscv64",
            BOTH,
            "its processor is riscv64, and the image is for linux/amd64 and linux/arm64",
        ),
    ],
)
def test_why_a_node_cannot_run_an_image(machine: str, wanted: tuple[str, ...], said: str) -> None:
    attributes = {"node.platform.arch": machine}
    node = Node("1", "n", "worker", "ready", "active", "26.1", "", attributes=attributes)
    assert placement.misfit(node, wanted) == said


@pytest.mark.parametrize(
    ("host", "insecure"),
    [("r.example:5000", True), ("s.example", False), ("10.1.2.3:5000", True), ("t.example", False)],
)
def test_registries_without_tls_are_those_of_the_engine(host: str, insecure: bool) -> None:
    config = {
        "InsecureRegistryCIDRs": ["10.0.0.0/8"],
        "IndexConfigs": {"r.example:5000": {"Secure": False}, "s.example": {"Secure": True}},
    }
    assert registry.is_insecure(config, host) is insecure
