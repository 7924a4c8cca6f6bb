"""The public names of the conformance kit: what every channel must keep to.

Describe your channel as a `Subject`, and let a test run each of `CHECKS` over it: each yields what
is wrong, and nothing where all is right.
"""

from conformance import CHECKS, Check, Subject, Vendor

__all__ = ["CHECKS", "Check", "Subject", "Vendor"]
