"""Promises of what Azure's cloud controller makes, in Azure Resource Manager, of Services of type LoadBalancer."""
