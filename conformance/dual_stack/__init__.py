"""Promises about the IP families of a Service."""
