"""Extreme bodies through the real handler, each in a batch with an ordinary message."""

from tests.faults.bodies.run import BodiesResult, Violation, run

__all__ = ["BodiesResult", "Violation", "run"]
