"""The suite is proved by breaking the data plane: `pytest tests/seeded_faults`."""
