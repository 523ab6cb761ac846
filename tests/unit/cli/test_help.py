"""The help of each command on a terminal of 80 columns: whole, by section, with an example."""

import shlex
from re import search
from typing import Any

import pytest
import typer
import typer.testing

from mpigen.cli import command_line, help


def commands() -> dict[str, Any]:
    """Each command by its words, as `keys rotate`; the families too."""
    root = typer.main.get_command(command_line())
    found: dict[str, Any] = {}
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        found[name] = command
        for word, below in getattr(command, "commands", {}).items():
            found[f"{name} {word}"] = below
    return found


COMMANDS = commands()


def printed(*words: str) -> str:
    runner = typer.testing.CliRunner(env={"COLUMNS": "80"})
    done = runner.invoke(command_line(), [*words, "--help"], prog_name="mpigen")
    assert done.exit_code == 0
    return done.output


def test_every_command_has_its_section_and_its_line() -> None:
    listed = {name for names in help.SECTIONS.values() for name in names}
    assert {name for name in COMMANDS if " " not in name} <= listed
    assert set(COMMANDS) <= set(help.HELP)


def test_the_first_help_is_by_section_and_cut_nowhere() -> None:
    text = printed()
    titles = [line for line in text.splitlines() if line.rstrip(":") in help.SECTIONS]
    assert titles == ["Set up:", "Cluster:", "Jobs:", "Inspect:"]
    assert "Commands:" not in text
    for name, command in COMMANDS.items():
        if " " not in name:
            assert f"  {name.ljust(9)}  {command.short_help}\n" in text


@pytest.mark.parametrize("words", ["", *COMMANDS], ids=lambda words: words or "mpigen")
def test_nothing_is_cut_on_80_columns(words: str) -> None:
    text = printed(*words.split())
    assert max(map(len, text.splitlines())) <= 80
    assert [line for line in text.splitlines() if search(r"[a-z,]\.\.\.$", line)] == []
    if words:
        _, _, examples = text.partition("\n  Example")
        assert examples.splitlines()[1:] == [f"    {line}" for line in help.HELP[words].examples]


@pytest.mark.parametrize("words", COMMANDS)
def test_each_example_is_a_command_line_that_there_is(words: str) -> None:
    command, examples = COMMANDS[words], help.HELP[words].examples
    assert examples
    for line in examples:
        begin, *rest = shlex.split(line.partition(" >")[0], comments=True)
        assert begin == "mpigen"
        if hasattr(command, "commands"):
            assert " ".join(rest[:2]) in COMMANDS
            continue
        depth = len(words.split())
        assert rest[:depth] == words.split()
        # raises for options that there are not, and arguments too many or too few
        command.make_context(words, rest[depth:], **command.context_settings)
