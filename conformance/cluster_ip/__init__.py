"""Promises of Services of type ClusterIP."""
