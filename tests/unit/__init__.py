"""Tests of kind `unit`."""
