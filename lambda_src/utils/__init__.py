"""Parsing of context objects, heartbeat, and logging."""
