"""Promises of Services that are another name for something outside the cluster."""
