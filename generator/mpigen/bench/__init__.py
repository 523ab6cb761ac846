"""`mpigen bench`: the measurement, its results, what is slow in them, and the report."""
