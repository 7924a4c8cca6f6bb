"""What an invariant is, and what it finds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from stacks.invariants.assembly import Assembly, NotPlain, Resource, Template

Check = Callable[[Assembly], Iterator["Finding"]]


class Severity(StrEnum):
    """How much a finding weighs, in the CDK's words."""

    FATAL = "fatal"
    """Messages would be lost, sent twice or failed for nothing: nobody can acknowledge it."""
    ERROR = "error"
    """Stops synth, unless it is acknowledged with a reason."""
    WARNING = "warning"
    """Is told, and stops nothing."""


@dataclass(frozen=True)
class Finding:
    """One place where an invariant does not hold.

    Attributes:
        place: The resource, or the stack as a whole.
        property: The property that is wrong, as a path.
        problem: What is wrong, with the values that are.
    """

    place: Resource | Template
    property: str
    problem: str


@dataclass(frozen=True)
class Invariant:
    """Something that must hold of every guarded template.

    Attributes:
        name: Stable, in words with hyphens; a finding is known by it.
        severity: What a finding does to synth.
        holds: What must hold, in one sentence.
        remedy: What to do where it does not hold.
        check: Yields the places where it does not.
    """

    name: str
    severity: Severity
    holds: str
    remedy: str
    check: Check

    def findings(self, assembly: Assembly) -> Iterator[Finding]:
        """Yield the places where it does not hold, or where nobody can tell."""
        try:
            yield from self.check(assembly)
        except NotPlain as unknown:
            problem = f"{unknown.path} is not {unknown.expected}, so this cannot be checked"
            yield Finding(unknown.resource, unknown.path, problem)


def invariant(
    name: str, *, holds: str, remedy: str, severity: Severity = Severity.ERROR
) -> Callable[[Check], Invariant]:
    """Make a check an invariant; see `Invariant` for the arguments."""
    return lambda check: Invariant(name, severity, holds, remedy, check)
