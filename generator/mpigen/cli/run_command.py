"""How `mpigen run` reads its words, since users write options of mpirun before the program."""

import re
import shlex
from typing import Any

import typer
from typer.core import TyperCommand

# what both unknown options and wrong values are; Typer has a copy of click, and exports no more
_UsageError: Any = typer.BadParameter.__base__


class RunCommand(TyperCommand):
    """The command `run`: the error for an option of mpirun before `--` says where it goes."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words as click does."""
        words = list(args)  # click empties its list
        try:
            return super().parse_args(ctx, args)
        except _UsageError as error:
            _explain(error, words)
            raise


def _explain(error: Any, words: list[str]) -> None:
    """Put into `error` what to write instead of an option that mpirun has."""
    name = getattr(error, "option_name", "")
    if isinstance(error, typer.BadParameter):
        # click reads -np as -n with the value p
        is_np = error.param is not None and error.param.name == "ranks"
        places = [at for at, word in enumerate(words) if is_np and word == "-np"]
    else:
        places = [at for at, word in enumerate(words) if name and _is_option(word, name)]
    if not places:
        return
    rest = words[places[0] :]
    advice = f"options of mpirun go after --: mpigen run -- {shlex.join(rest)}"
    if rest[0] in ("-np", "--np"):
        count = rest[1] if len(rest) > 1 and re.fullmatch("[0-9]+", rest[1]) else "N"
        advice = f"write -n {count}; {advice}"
    elif rest[0] in ("-x", "-genv"):
        advice = f"write -e NAME=VALUE; {advice}"
    error.message = f"No such option: {rest[0]}; {advice}" if name else advice
    if name:
        error.possibilities = None


def _is_option(word: str, name: str) -> bool:
    """Whether click took `name` from `word`: it reads -ppn as -p with more behind it."""
    is_short = not name.startswith("--") and not word.startswith("--")
    return word.partition("=")[0] == name or (is_short and word.startswith(name))
