"""The image of a cluster: built by content, selected, and brought to the nodes."""
