"""One row of the table of planted faults."""

from dataclasses import dataclass

from tests.infra.invariants.bench import Plant
from tests.infra.invariants.templates import Change


@dataclass(frozen=True)
class Fault:
    """A fault that is planted on purpose, and what has to tell of it.

    Attributes:
        planted: What is wrong, in words.
        breaks: The names of the invariants that no longer hold, all of them.
        by_code: Plants it with constructs, in a stack that has nothing else.
        by_override: Plants it in the templates of a faultless app.
        protected: Whether the stack of the constructs cannot be deleted.
    """

    planted: str
    breaks: frozenset[str]
    by_code: Plant
    by_override: Change
    protected: bool = True


def fault(
    planted: str, *breaks: str, by_code: Plant, by_override: Change, protected: bool = True
) -> Fault:
    """Return a row of the table; see `Fault`."""
    return Fault(planted, frozenset(breaks), by_code, by_override, protected)
