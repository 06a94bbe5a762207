"""Measurements, as tables beside the figures to reach; nothing here passes or fails by a time."""
