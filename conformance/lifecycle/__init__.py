"""Promises that hold while pods come and go."""
