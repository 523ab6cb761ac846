"""Rendered files against a folder: compared, shown as a diff, and written, all or nothing."""
