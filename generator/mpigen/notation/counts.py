"""Numbers of things, as sentences have them."""


def counted(number: int, thing: str) -> str:
    """Return "1 node", or "3 nodes"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
