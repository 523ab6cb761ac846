"""The console script and `python -m mpigen`: settings that must precede all other imports."""

import gc
import os
import signal
import sys
from types import FrameType

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Run the command line."""
    _raise_on_first_signal()
    # mpigen has no pydantic plugins, and searching for them takes a tenth of a render
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # a render makes many objects and exits; collecting garbage takes a fortieth of its time
    gc.set_threshold(200_000)
    try:
        from mpigen import cli

        cli.main()
    except KeyboardInterrupt:  # while modules load; verbs handle it themselves
        sys.exit(128 + signal.SIGINT)
    finally:
        # the collection when the interpreter exits would take another tenth
        gc.freeze()


def _raise_on_first_signal() -> None:
    """Raise for the first signal only, so that a second Ctrl-C does not interrupt the cleanup.

    Signals that are ignored from the start (nohup) stay ignored.
    """
    caught = [each for each in _INTERRUPTS if signal.getsignal(each) is not signal.SIG_IGN]

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for each in caught:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    def listen() -> None:
        for each in caught:
            signal.signal(each, interrupt)

    def on_unraisable(args: "sys.UnraisableHookArgs") -> None:
        # Python drops an exception raised in a callback of its imports: wait for the next signal
        sys.__unraisablehook__(args)
        if issubclass(args.exc_type, (KeyboardInterrupt, SystemExit)):
            listen()

    sys.unraisablehook = on_unraisable
    listen()


if __name__ == "__main__":
    main()
