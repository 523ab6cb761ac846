"""Docker's notations: text that Docker, Swarm and their engines write and read."""
