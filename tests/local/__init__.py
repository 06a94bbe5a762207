"""Tests of the local cluster on this machine; they need root, and build the programs when they are not in the cache."""
