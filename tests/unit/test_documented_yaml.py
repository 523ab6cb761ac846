"""Each piece of mpigen.yaml that the documents show is one that mpigen takes, pasted as it is."""

import re
from pathlib import Path

import pytest
import yaml

from mpigen.config.models import Config
from mpigen.config.models_workers import Workers
from tests import sites
from tests.conftest import ROOT
from tests.unit.test_documented import DOCUMENTS

_BLOCK = re.compile(r"^( *)```yaml\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# `image: {bench: true}`, and of a group `packages: [clinfo]`; some go on in the next line, and
# {{ is Jinja's
_INLINE = re.compile(r"`([a-z_.]+): (\[[^`]*|\{(?!\{)[^`]*)`")
# the pieces that need more to be complete
_WITH = {
    "image: {distribute: registry}": "image: {tag: r.example.org/x:1, distribute: registry}",
}
# blocks of other files, by their first key
_OTHERS = ("repos:", "# Fails if output/", "# yaml-language-server: $schema=job.schema.json")


def blocks() -> list[tuple[str, str]]:
    """The YAML blocks for mpigen.yaml, with their document."""
    found = []
    for document in DOCUMENTS:
        for indent, text in _BLOCK.findall((ROOT / document).read_text("utf-8")):
            text = re.sub(f"^{indent}", "", text, flags=re.M)
            if not text.startswith(_OTHERS):
                found.append((document, text))
    return found


def inline() -> list[tuple[str, str]]:
    """The pieces within sentences, as top-level keys, with their document."""
    found = []
    for document in DOCUMENTS:
        for key, value in _INLINE.findall((ROOT / document).read_text("utf-8")):
            text = re.sub(r"\s+", " ", f"{key}: {value}").replace("{..., ", "{")
            if key not in Config.model_fields and key in Workers.model_fields:
                text = f"workers: [{{{text}}}]"
            if key == "args":  # of a hook
                continue
            # the build's packages are those of a program
            program = "app: {source: app}\n" if "build_packages" in text else ""
            found.append((document, program + _WITH.get(text, text)))
    return found


def test_there_are_such_pieces() -> None:
    assert len(blocks()) > 10 and len(inline()) > 15


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(text, id=f"{document}: {text[:40]}")
        for document, text in [*blocks(), *inline()]
    ],
)
def test_what_is_shown_can_be_pasted(text: str, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    name = "" if "name" in yaml.safe_load(text) else "name: x\n"
    sites.config(tmp_path, name + text)
