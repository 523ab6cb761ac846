"""A plugin of pytest for `mpigen verify`: the reason of a failed check is printed with it.

pytest prints reasons at its end only, which is minutes later on slow servers, and never comes if it
is killed.
"""

from collections.abc import Generator
from typing import Any

import pytest

_found: dict[str, str] = {}
"""What became of each check so far, by its name: passed, failed or skipped."""
_collected: list[str] = []
_terminal: list[Any] = []
"""The reporter that prints, once there is one."""


def pytest_collection_finish(session: pytest.Session) -> None:
    """Remember which checks there are."""
    _collected.extend(item.nodeid for item in session.items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember what became of a check."""
    report = yield
    if report.failed or (report.when == "call" or report.skipped):
        _found[item.nodeid] = report.outcome
    return report


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Print the reason below the line of the check."""
    if report.failed and _terminal:
        _terminal[0].write_line("")
        _terminal[0].write_line(report.longreprtext)


def pytest_keyboard_interrupt() -> None:
    """Say what was found before the interrupt."""
    if not _terminal:
        return
    counts = {word: list(_found.values()).count(word) for word in ("passed", "failed", "skipped")}
    told = [f"{count} {word}" for word, count in counts.items() if count]
    told.append(f"{len(_collected) - len(_found)} not finished")
    _terminal[0].write_line("")
    _terminal[0].write_line(f"interrupted: {', '.join(told)}")
    for check, word in _found.items():
        if word == "failed":
            _terminal[0].write_line(f"failed: {check}")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Find the reporter that prints."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        _terminal.append(reporter)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Have no reason printed twice; checks that were all skipped have shown nothing."""
    session.config.option.tbstyle = "no"
    nothing = exitstatus == pytest.ExitCode.OK and "passed" not in _found.values()
    if nothing and not session.config.option.collectonly:
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
