"""Measurements beside the figures to reach (docs/figures.md); no test passes or fails by them."""
