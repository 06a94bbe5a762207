"""Promises of Services of type LoadBalancer, as clients and the Kubernetes API see them."""
