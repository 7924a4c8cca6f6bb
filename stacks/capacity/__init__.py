"""What a channel carries, and what holds it back: arithmetic for synth and for the planner.

The standard library only. Rates are messages a second, times are seconds.
"""
