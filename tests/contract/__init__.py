"""Tests of kind `contract`."""
