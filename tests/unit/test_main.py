"""What Ctrl-C and other signals do to any command, and a second one while it cleans up."""

import signal
import subprocess
import sys
import time

import pytest

from tests.interrupts import until_it_ends

# a verb that cleans up for half a second
VERB = """\
import time, weakref
from mpigen import __main__, cli
class Callback:
    pass
def passed_over():
    def interrupted(_reference):
        print("in a callback", flush=True)
        time.sleep(60)
    kept = Callback()
    reference = weakref.ref(kept, interrupted)
    del kept
def verb():
    BEFORE
    try:
        print("up", flush=True)
        time.sleep(60)
    finally:
        time.sleep(0.5)
        print("cleaned up", flush=True)
cli.main = verb
__main__.main()
"""


def started(before: str = "pass", **how: bool) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", VERB.replace("BEFORE", before)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **how,  # type: ignore[call-overload]
    )


def line(command: "subprocess.Popen[str]") -> str:
    assert command.stdout
    return command.stdout.readline()


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name
)
def test_what_cleans_up_is_left_in_peace(number: signal.Signals) -> None:
    with started() as command:
        assert line(command) == "up\n"
        assert until_it_ends(command, number) == 128 + number
        assert line(command) == "cleaned up\n"
        assert command.stderr and command.stderr.read() == ""


def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        command = started(restore_signals=False)
    finally:
        signal.signal(signal.SIGHUP, before)
    with command:
        assert line(command) == "up\n"
        command.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert command.poll() is None
        assert until_it_ends(command, signal.SIGINT) == 130


def test_one_that_python_passes_over_is_not_the_last() -> None:
    with started("passed_over()") as command:
        assert line(command) == "in a callback\n"
        command.send_signal(signal.SIGINT)
        assert line(command) == "up\n"
        assert until_it_ends(command, signal.SIGINT) == 130
        assert line(command) == "cleaned up\n"


def test_ctrl_c_while_mpigen_loads_ends_it_without_a_traceback() -> None:
    pressed = """\
import sys
from mpigen.__main__ import main
class Loading:
    def find_spec(self, name, *_):
        if name == "mpigen.cli":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Loading())
main()
"""
    done = subprocess.run([sys.executable, "-c", pressed], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
