"""Two servers, a reader of the documents with a laptop, and the table of what the run has seen."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mpigen.lab import base, engine
from tests import tables
from tests.figures import figure
from tests.servers.disks import ALPHA, BETA, disk, user_key
from tests.servers.machines import Machine, ssh_files, two_servers
from tests.swarm.conftest import ROOT, check
from tests.swarm.terminal import Terminal, plain_user

BASE = "debian:trixie-slim"
README = (ROOT / "README.md").read_text("utf-8")
_SUPPORT = ROOT / "docs" / "support.md"


@dataclass
class Seen:
    """What a test has seen, for the table: what was done, its seconds, and what came of it."""

    rows: list[tuple[str, float, str]]

    @contextmanager
    def row(self, what: str) -> Iterator[list[str]]:
        """Take the time of what is done within; its words are what came of it."""
        began, words = time.monotonic(), list[str]()
        print(f"{what} ...")
        try:
            yield words
        finally:
            took = time.monotonic() - began
            self.rows.append((what, took, ", ".join(words)))
            line = f"{took:6.0f} s  {what}: {', '.join(words) or 'FAILED'}"
            print(line)
            figure(line)


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Seen:
    """The rows of a test: they go into its report."""
    made = Seen([])
    request.node.user_properties.append(("rows", made.rows))
    return made


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Machine]]:
    """alpha and beta, booted."""
    disks = disk(ALPHA, print), disk(BETA, print)
    print("booting alpha and beta")
    began = time.monotonic()
    with two_servers(disks, tmp_path_factory.mktemp("servers"), user_key()) as machines:
        figure(f"{time.monotonic() - began:6.0f} s  two servers have booted")
        yield machines


@pytest.fixture(scope="session")
def reader(servers: list[Machine]) -> Iterator[Terminal]:
    """A plain user of this machine, who has installed mpigen and may log in to the servers."""
    base.ensure(engine.ensure(print), BASE, print)
    with plain_user() as user:
        origin = user.home / "mpigen"
        check("git", "clone", "--quiet", ROOT, origin)
        check("chown", "-R", f"{user.user}:{user.group}", origin)
        ssh = user.home / ".ssh"
        user.run("mkdir", "-m", "700", ssh)
        files = ssh_files(servers, f"{ssh}/key") | {"key": user_key().read_text()}
        for name, text in files.items():
            user.run("sh", "-c", f"umask 077; cat > {ssh / name}", given=text)
        (install,) = (block for block in blocks(README) if "pip install ." in block)
        print("installing mpigen as README does")
        user.paste("cd mpigen", 30)
        user.paste(install, 900)
        user.paste("cd", 30)
        yield user


def blocks(text: str, language: str = "sh") -> list[str]:
    """The code blocks of a document."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.M | re.S)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The table goes into the documents if all tests of this folder were run, and passed."""
    rows: list[tuple[str, float, str]] = []
    for report in terminalreporter.stats.get("passed", []):
        rows += [each for name, value in report.user_properties if name == "rows" for each in value]
    folder = Path(__file__).parent
    all_of_it = [Path(word).resolve() for word in config.args] == [folder]
    stats = terminalreporter.stats
    if rows and all_of_it and not any(map(stats.get, ("failed", "error", "deselected", "skipped"))):
        lines = ["| what was done | seconds | what came of it |", "| --- | --- | --- |"]
        lines += [f"| {what} | {took:.0f} | {words} |" for what, took, words in rows]
        tables.write(_SUPPORT, "test-servers", [*lines, "", f"Last run on {tables.when()}."])
