"""Each message of docs/troubleshooting.md is one that a test brings about."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_message_is_brought_about_by_a_test() -> None:
    text = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
    messages = re.findall(r"^### `(.*)`$", text, re.M)
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
    everything = "\n".join(path.read_text("utf-8") for path in tests)
    assert len(messages) > 10
    assert [message for message in messages if message not in everything] == []
