"""Errors that know what the user meant, although no field has a similar name."""

from pathlib import Path

import pytest

from mpigen.errors import InputError
from tests import sites


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("workers: [{gpus: 2}]", "GPUs are generic resources: set generic: {GPU: 1} in workers"),
        ("image: {http_proxy: 'http://p:3128'}", "proxies are set in Docker's ~/.docker/config"),
        ("image: {HTTPS_PROXY: 'http://p:3128'}", "proxies are set in Docker's ~/.docker/config"),
        (
            "image: {apt_mirror: 'https://mirror.example.org'}",
            "needs certificates, which a base image does not have before its first package: "
            "write http://, since apt verifies signatures",
        ),
    ],
)
def test_an_error_leads_to_the_right_place(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        sites.config(tmp_path, f"name: x\n{text}\n")
    assert said in error.value.message
    assert "did you mean" not in error.value.message
