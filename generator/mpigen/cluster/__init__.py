"""Config -> Cluster: derives every number and name of the cluster, once."""
