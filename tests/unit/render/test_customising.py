"""docs/customising.md names what there is."""

import re
from pathlib import Path

from tests import sites
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "customising.md").read_text(encoding="utf-8")
TEXT = """\
name: x
app: {source: app}
launcher: {}
storage: [{target: /data, source: data}]
ssh: {delivery: secret}
"""


def test_a_template_is_given_every_name_that_the_page_lists(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    rows = re.findall(r"(?m)^\| (each item of )?`(cluster\S*|keys|held)` \| (.*) \|$", PAGE)
    assert len(rows) == 10
    used = []
    for item, name, names in rows:
        of = f"{name}[0]" if item else name
        used += [f"{of}.{each}" for each in re.findall(r"`(\w+)`", names.partition(";")[0])]
    assert len(used) > 30
    # a name that is not there is an error
    lines = "".join(f"{{% if {each} %}}{{% endif %}}\n" for each in used)
    sites.template(tmp_path, "names.txt.j2", f"names\n{lines}")
    sites.artifacts(tmp_path, TEXT)
