"""What every channel must keep to, as checks that any repository runs over its own channel.

`Subject` describes a channel: as it is deployed, what its runtime brings, a good context object and
its made-up vendor. Each of `CHECKS` looks at one such description and yields what is wrong, in
words that name the place; nothing is right.
"""

from conformance.catalogue import CHECKS, Check
from conformance.files import left_out
from conformance.subject import Subject, Vendor

__all__ = ["CHECKS", "Check", "Subject", "Vendor", "left_out"]
