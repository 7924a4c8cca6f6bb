"""Tests of the stand-ins for the vendors."""
