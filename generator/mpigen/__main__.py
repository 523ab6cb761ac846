"""The console script, and `python -m mpigen`: what has to be set before anything is loaded."""

import gc
import os
import signal
import sys
from types import FrameType

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Run the command line."""
    _be_interrupted_once()
    # nothing here plugs into pydantic, and to look for what does takes a tenth of a render
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # a render makes many objects and ends: to search them for garbage is a fortieth of its time
    gc.set_threshold(200_000)
    try:
        from mpigen import cli

        cli.main()
    except KeyboardInterrupt:  # while it loads; a verb says what it leaves
        sys.exit(128 + signal.SIGINT)
    finally:
        # and to search all of them once more when the interpreter ends, a tenth
        gc.freeze()


def _be_interrupted_once() -> None:
    """Raise for the first signal alone, so that a second Ctrl-C leaves what cleans up in peace.

    What is ignored from the start (nohup) stays so.
    """
    caught = [each for each in _INTERRUPTS if signal.getsignal(each) is not signal.SIG_IGN]

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for each in caught:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    def listen() -> None:
        for each in caught:
            signal.signal(each, interrupt)

    def missed(what: "sys.UnraisableHookArgs") -> None:
        # Python itself goes on after what is raised in a callback of its imports
        sys.__unraisablehook__(what)
        if issubclass(what.exc_type, (KeyboardInterrupt, SystemExit)):
            listen()

    sys.unraisablehook = missed
    listen()


if __name__ == "__main__":
    main()
