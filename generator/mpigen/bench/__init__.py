"""What `mpigen bench` has measured: the results, what is slow in them, and how they are shown."""
