"""Files and values of a repository that nobody trusts: bounded reading, short quotes, safe places.

docs/security.md states what the left half promises by it.
"""
