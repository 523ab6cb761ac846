"""Each whole mpigen.yaml that the documents show renders, without a warning."""

import re
from pathlib import Path

import pytest
import yaml

from tests import sites
from tests.conftest import ROOT

_FENCED = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def files(document: str) -> list[str]:
    """The YAML blocks at the left margin of a document."""
    return _FENCED.findall((ROOT / "docs" / document).read_text("utf-8"))


SHOWN = [*files("typical-clusters.md"), files("configuration.md")[0]]


def test_there_are_five_typical_clusters() -> None:
    assert len(files("typical-clusters.md")) == 5
    names = [yaml.safe_load(text)["name"] for text in SHOWN]
    assert len(set(names)) == len(SHOWN)


@pytest.mark.parametrize("text", SHOWN, ids=lambda text: yaml.safe_load(text)["name"])
def test_a_typical_cluster_renders(text: str, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.c").write_text("int main(void) { return 0; }\n")
    sites.schema().validate(yaml.safe_load(text))
    rendered = sites.rendered(tmp_path, text)
    assert rendered.warnings == ()
    stack = yaml.safe_load(rendered.files["stack.yml"].text)
    groups = {each["name"] for each in yaml.safe_load(text)["workers"]}
    assert groups <= set(stack["services"])


@pytest.mark.parametrize(("name", "slots"), [("hybrid", [4]), ("heat", [16]), ("flow", [32])])
def test_the_slots_that_the_page_states(name: str, slots: list[int], tmp_path: Path) -> None:
    (text,) = [text for text in SHOWN if yaml.safe_load(text)["name"] == name]
    (tmp_path / "app").mkdir()
    assert [group.slots for group in sites.cluster(tmp_path, text).groups] == slots
