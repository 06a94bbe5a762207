"""Promises of clients that come back to the same pod."""
