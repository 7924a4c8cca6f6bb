"""Tests of how the benchmarks reckon; the benchmarks themselves are `make bench`."""
