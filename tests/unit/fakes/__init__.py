"""Fakes of the core's ports: real code with visible state, and no way out of the process."""
