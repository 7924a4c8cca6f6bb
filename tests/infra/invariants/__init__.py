"""Tests of the invariants: faults planted on purpose, one table for both ways to plant them."""
