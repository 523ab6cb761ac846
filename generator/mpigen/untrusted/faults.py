"""What Python's parsers and converters raise for hostile input, beside their own errors."""

DATA_FAULTS = (
    ArithmeticError,  # OverflowError: a number that does not fit
    AttributeError,  # PyYAML: !!timestamp x
    LookupError,  # PyYAML: !!bool maybe, !!int ''
    OSError,  # ENAMETOOLONG, from each method of a path
    RecursionError,
    TypeError,
    ValueError,  # integers of more than 4,300 digits, NUL in a path, surrogates
)
"""Everything that YAML, JSON, int, float and pathlib raise for input that is wrong."""
