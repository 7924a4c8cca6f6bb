"""Tests of kind `services`."""
