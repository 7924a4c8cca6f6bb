"""Deliberately broken variants of the runtime, each our own flow but for one mistake."""

from tests.faults.variants.catalogue import VARIANTS
from tests.faults.variants.variant import Variant

__all__ = ["VARIANTS", "Variant"]
