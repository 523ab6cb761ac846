"""The real command on a site that nobody trusts: with bounded time and memory."""

import contextlib
import io
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from mpigen.cli import main
from tests.conftest import Done

# address space in bytes, and seconds of processor time that a command may take; a render takes
# 0.3 s
MEMORY = 512 * 1024**2
SECONDS = 5.0
# seconds until a command counts as hanging, on a busy machine too
HANGS = 30.0


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def in_process(site: Path, *words: str | Path) -> Done:
    """Run `mpigen` in the folder `site`, in a process of limited memory; a hang is exit code -1."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "mpigen", *map(str, words)],
            cwd=site,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=HANGS,
            preexec_fn=_limit,
        )
    except subprocess.TimeoutExpired:
        return Done(-1, "", f"still running after {HANGS:.0f} s")
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"still running after {HANGS:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, HANGS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def mpigen(site: Path, *words: str | Path) -> Done:
    """Run `mpigen` in the folder `site`, in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    argv, sys.argv = sys.argv, ["mpigen", *map(str, words)]
    code = 0
    try:
        with (
            _alarm(),
            contextlib.chdir(site),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.argv = argv
    texts = []
    for stream in (out, err):
        stream.seek(0)
        texts.append(stream.read())
    return Done(code, *texts)


def refused(site: Path, *words: str | Path, own_process: bool = False) -> str:
    """Run a command that has to refuse its input at once, and return its short message."""
    before = time.process_time()
    done = (in_process if own_process else mpigen)(site, *(words or ("render",)))
    assert "Traceback" not in done.err, done.err[-2000:]
    assert done.code == 2, done
    assert time.process_time() - before < SECONDS
    assert len(done.err) < 10_000, f"{len(done.err)} characters: {done.err[:400]}"
    return done.err
