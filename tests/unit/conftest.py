"""What several packages' unit tests begin with."""

from pathlib import Path

import pytest

from tests.conftest import Mpigen


@pytest.fixture
def site_with_program(tmp_path: Path, mpigen: Mpigen) -> Path:
    """A rendered site with a program, and its private keys."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/hello.c").write_text("int main(void) { return 0; }\n")
    (tmp_path / "mpigen.yaml").write_text("name: x\napp: {source: app, build: make}\n")
    assert mpigen("render", "-c", tmp_path / "mpigen.yaml").code == 0
    return tmp_path
