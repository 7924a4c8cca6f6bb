"""Tests of the benchmarks' arithmetic; the measurements themselves are `make bench`."""
