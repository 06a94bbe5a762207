"""Promises of the names of Services."""
