"""All that talks to Docker about a cluster: image, stack, jobs, and what ails it."""
