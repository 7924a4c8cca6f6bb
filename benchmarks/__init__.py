"""Measurements of speed, package size and cost, compared with other implementations in one run."""
