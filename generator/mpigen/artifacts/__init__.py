"""The rendered folder as both halves know it: the manifest, and the cluster that it describes.

What reads a rendered folder loads nothing else of mpigen: neither pydantic nor Jinja.
"""
