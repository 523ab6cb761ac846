"""A Swarm of several nodes on one machine, with the Docker engine and base image that it needs."""
