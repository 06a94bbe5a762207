"""Promises of Ingress, another way in: of its API; what answers behind it is a controller's own matter."""
