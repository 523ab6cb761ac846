"""Config -> Cluster: every number and name of the cluster, derived once."""
