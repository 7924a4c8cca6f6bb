"""Throughput and limits of a channel: arithmetic for synth and for the planner.

It uses the standard library only. Rates are in messages per second, times in seconds.
"""
