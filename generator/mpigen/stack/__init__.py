"""Deploy, scale, remove and verify the stack."""
