"""The console script, and `python -m mpigen`: what has to be set before anything is loaded."""

import gc
import os
import signal
import sys


def main() -> None:
    """Run the command line."""
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


if __name__ == "__main__":
    main()
