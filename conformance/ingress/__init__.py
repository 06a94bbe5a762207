"""Promises of Ingress, another way in: of its API, and of the controller behind it, if there is one."""
