"""Tests of kind `infra`."""
