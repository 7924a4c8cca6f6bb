"""What must hold of everything that is deployed: checked at every synth, over the templates.

`guard` stands in each construct, so that whoever uses one of them is guarded. The rules are in
files by subject, and listed in `catalogue`; docs/invariants.md shows them.
"""

from stacks.invariants.guard import guard

__all__ = ["guard"]
