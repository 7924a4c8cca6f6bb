"""Capacity and cost planner: concurrency, limits and cost for a load; run as `python -m planner`.

`stacks.capacity`, which synth also uses, calculates capacity and limits.
"""
