"""Real kind on a machine without Docker and without registries: an engine, and a node image made here.

For this project's own tests. Whoever has Docker and the Internet needs none of it.
"""
