"""The distribution: its content, its public API, and its use in another repository."""
