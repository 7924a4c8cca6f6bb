"""Tests of the invariants: planted faults, the report, the document, references in templates."""
