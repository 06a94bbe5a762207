"""Tests that need neither a cluster nor root, in seconds."""
