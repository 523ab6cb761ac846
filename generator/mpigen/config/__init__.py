"""mpigen.yaml -> Config: the user's file, read, checked and documented."""
