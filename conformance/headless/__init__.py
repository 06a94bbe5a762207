"""Promises of Services without a cluster IP: names that lead to the pods themselves."""
