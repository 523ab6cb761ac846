"""`python -m mpigen` is the console script."""

from mpigen.cli import main

if __name__ == "__main__":
    main()
