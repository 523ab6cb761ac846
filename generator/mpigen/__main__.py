"""The console script, and `python -m mpigen`: what has to be set before anything is loaded."""

import gc
import os


def main() -> None:
    """Run the command line."""
    # nothing here plugs into pydantic, and to look for what does takes a tenth of a render
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # a render makes many objects and ends: to search them for garbage is a fortieth of its time
    gc.set_threshold(200_000)
    from mpigen import cli

    try:
        cli.main()
    finally:
        # and to search all of them once more when the interpreter ends, a tenth
        gc.freeze()


if __name__ == "__main__":
    main()
