"""Sending at most once, and reconciling sends whose outcome is unknown."""
