"""Progress with and without a terminal."""

import io
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from rich.console import Console

from mpigen.cli import progress


def test_a_long_step_shows_its_last_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with progress.building() as (say, _, see):
        say("step")
        for number in range(25):
            now += 1
            see(f"line {number}")
    assert capsys.readouterr().err == "step\n          ... line 10\n          ... line 21\n"


def test_steps_of_several_threads_are_ticked_off_once_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.StringIO()

    class Slow(Console):
        def print(self, *words: object, **options: object) -> None:
            time.sleep(0.01)  # others get their turn here
            super().print(*words, **options)  # type: ignore[arg-type]

    console = Slow(file=written, force_terminal=True, width=80)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(progress, "_console", lambda: console)
    with progress.progress() as say, ThreadPoolExecutor(8) as pool:
        list(pool.map(say, [f"step-{number:02d}" for number in range(20)]))
    shown = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", written.getvalue())
    ticked = re.findall(r"✓ (step-\d\d)", shown)
    assert sorted(ticked) == [f"step-{number:02d}" for number in range(20)]
