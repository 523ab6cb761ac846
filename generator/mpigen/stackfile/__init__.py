"""stack.yml: what `docker stack deploy` takes, what a site adds to it, what may not be undone."""
