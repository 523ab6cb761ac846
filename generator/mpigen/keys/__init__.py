"""A cluster's SSH key pairs: generated once, checked, imported and exported."""
