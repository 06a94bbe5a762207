"""Promises of Services of type NodePort."""
