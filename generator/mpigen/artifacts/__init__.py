"""A rendered folder: its manifest, and the cluster that it describes. Both halves import this.

Reading a rendered folder loads nothing else of mpigen, and neither pydantic nor Jinja.
"""
