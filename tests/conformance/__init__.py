"""Every registered channel against the conformance checks."""
