"""Measures how often the check of facts is right, on inputs generated from locale data."""
