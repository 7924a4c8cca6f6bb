"""Parsing, heartbeat, settings and logging around the flow."""
