"""Tests, grouped by what they test and what they need; see CONTRIBUTING.md."""
