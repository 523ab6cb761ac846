"""What a command loads: who reads a rendered folder needs neither pydantic nor Jinja."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Mpigen

# loading prints nothing, so the last line is the answer
LOADED = """
import sys
sys.argv = ["mpigen", *sys.argv[1:]]
try:
    from mpigen.__main__ import main
    main()
finally:
    print("loaded:", *sorted({"docker", "jinja2", "pydantic"} & sys.modules.keys()))
"""


def loaded(*words: str | Path, code: int) -> set[str]:
    """Which of Docker's SDK, Jinja and pydantic a command loads."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words],
        env={**os.environ, "DOCKER_HOST": "unix:///nonexistent"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.fixture
def output(tmp_path: Path, mpigen: Mpigen) -> Path:
    (tmp_path / "mpigen.yaml").write_text("name: x\n")
    assert mpigen("render", "-c", tmp_path / "mpigen.yaml").code == 0
    return tmp_path / "output"


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("jobs",),
        ("run", "--", "hostname"),
        ("deploy",),
        ("down",),
        ("build",),
    ],
    ids=lambda words: words[0],
)
def test_a_command_on_a_rendered_folder_loads_no_renderer(
    output: Path, words: tuple[str, ...]
) -> None:
    verb, *rest = words
    assert loaded(verb, "-o", output, *rest, code=3) == {"docker"}


@pytest.mark.parametrize("verb", ["run", "status", "render"])
def test_a_help_text_loads_nothing(verb: str) -> None:
    assert loaded(verb, "--help", code=0) == set()


def test_a_rendered_folder_is_read_without_either() -> None:
    program = "import sys, mpigen.artifacts.folder; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert not {"docker", "jinja2", "pydantic"} & set(done.stdout.split())
