"""Progress where there is no terminal."""

import pytest

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
