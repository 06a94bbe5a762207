"""The reports of real runs in a real browser: `pytest tests/browser` (root)."""
