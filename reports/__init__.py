"""Outputs made from a saved run: tables, JUnit, the run's record."""
