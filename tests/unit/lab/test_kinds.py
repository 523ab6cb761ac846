"""The kinds of engines that a lab's nodes can have."""

import inspect

from mpigen.cli import lab
from mpigen.lab.kinds import ENGINES, NEWEST


def test_the_command_line_names_every_kind_and_starts_the_newest() -> None:
    option = inspect.signature(lab.up).parameters["engine"].default
    assert option.default == NEWEST
    words = option.help.replace(",", " ").replace(";", " ").split()
    assert [each for each in ENGINES if each not in words] == []
