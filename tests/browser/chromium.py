"""Debian's Chromium without a screen: what it makes of a page, and a picture of it."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from mpigen.lab import machine

# a browser that looks for nothing outside, and knows nothing of the one before
_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--disable-dev-shm-usage"),
)


def ensure() -> None:
    """Have a chromium: on Debian and Ubuntu it is installed, and that is said."""
    if not shutil.which("chromium"):
        machine.install(["chromium"], print)


def dom(page: Path, width: int, height: int = 900, dark: bool = False) -> str:
    """The page as the browser has it once its scripts are done, as HTML."""
    return _run(page, f"--window-size={width},{height}", *_scheme(dark), "--dump-dom")


def picture(page: Path, png: Path, width: int, height: int, dark: bool = False) -> None:
    """Write a picture of the page's first `width` x `height` pixels."""
    _run(page, f"--window-size={width},{height}", *_scheme(dark), f"--screenshot={png}")


def _scheme(dark: bool) -> list[str]:
    return ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if dark else []


def _run(page: Path, *options: str) -> str:
    ensure()
    with tempfile.TemporaryDirectory(prefix="mpigen-chromium-") as profile:
        done = subprocess.run(
            ["chromium", *_QUIET, f"--user-data-dir={profile}", *options, page.resolve().as_uri()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout
