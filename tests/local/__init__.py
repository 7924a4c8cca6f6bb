"""Tests of kind `local`."""
