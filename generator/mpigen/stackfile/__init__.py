"""stack.yml: the format that `docker stack deploy` accepts, and merging a site's own keys."""
