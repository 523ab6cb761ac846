"""Shared by all commands that talk to Docker: the engine, the Swarm's nodes and tasks, probes."""
