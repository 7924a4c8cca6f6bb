"""Extreme message bodies: random inputs delivered to the real handler."""
