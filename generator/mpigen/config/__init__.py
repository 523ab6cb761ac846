"""mpigen.yaml -> Config: what the user writes, read, checked and documented."""
