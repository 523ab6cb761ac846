"""SSH key pairs of a cluster: made once, checked, imported and exported."""
