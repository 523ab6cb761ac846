"""{path: File} against a folder: compare, show and write, all or nothing."""
