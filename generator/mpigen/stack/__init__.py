"""The stack: deployed, scaled, removed and verified."""
