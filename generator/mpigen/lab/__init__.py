"""A Swarm of several nodes on one machine, and the Docker engine and base image that it needs."""
