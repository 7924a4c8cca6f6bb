"""Tests on an embedded AWS without the app."""
