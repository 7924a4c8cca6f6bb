"""Rules that every synthesized template must satisfy (docs/invariants.md).

Each construct calls `attach_rules`, so that the rules run in every app that uses one of them.
"""

from stacks.invariants.plugin import attach_rules

__all__ = ["attach_rules"]
