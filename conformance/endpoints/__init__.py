"""Promises of how Services follow their pods."""
