"""Cluster -> {path: File}: templates, quoting, and what is wrong in a template of a site."""
