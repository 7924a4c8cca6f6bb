"""PLANNER: what a load takes, what holds it back and what it costs; run as `python -m planner`.

The arithmetic of calls and limits is `stacks.capacity`, which synth holds environments against.
"""
