"""What a deliberately broken variant of the runtime is."""

from collections.abc import Callable
from dataclasses import dataclass

from lambda_src.core.batch import BatchHandler
from tests.faults.rules import Rule


@dataclass(frozen=True, slots=True)
class Variant:
    """Our own handler with one thing broken, so that the proof can be seen to fail.

    Attributes:
        name: How reports call it.
        what: What is broken, in one sentence.
        breaks: The rules that its mistake can break; which of them shows depends on the schedule.
        alter: Takes a handler, on real parts or on fakes, and returns the broken one; what it is
            given stays as it is.
    """

    name: str
    what: str
    breaks: frozenset[Rule]
    alter: Callable[[BatchHandler], BatchHandler]
