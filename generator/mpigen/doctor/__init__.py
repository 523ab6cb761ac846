"""Diagnosis: facts of a cluster in, findings out."""
