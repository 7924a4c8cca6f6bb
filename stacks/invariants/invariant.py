"""The form of an invariant and of its findings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from stacks.invariants.assembly import Assembly, Resource, Template, UnresolvedValue

Check = Callable[[Assembly], Iterator["Finding"]]


class Severity(StrEnum):
    """The severity of a finding, in the CDK's terms."""

    FATAL = "fatal"
    """Messages would be lost, sent twice or fail without need; it cannot be acknowledged."""
    ERROR = "error"
    """Stops synth, unless it is acknowledged with a reason."""
    WARNING = "warning"
    """Is reported, and does not stop synth."""


@dataclass(frozen=True)
class Finding:
    """One violation of an invariant.

    Attributes:
        place: The resource, or the whole stack.
        property: The path of the wrong property.
        problem: What is wrong, with the values.
    """

    place: Resource | Template
    property: str
    problem: str


@dataclass(frozen=True)
class Invariant:
    """A rule for the templates of every stack with our constructs.

    Attributes:
        name: Its stable id, in words with hyphens; findings are acknowledged by it.
        severity: The effect of a finding.
        holds: The rule, in one sentence.
        remedy: What to do about a finding.
        check: Yields the violations.
    """

    name: str
    severity: Severity
    holds: str
    remedy: str
    check: Check

    def findings(self, assembly: Assembly) -> Iterator[Finding]:
        """Yield the violations, and the first value that cannot be checked."""
        try:
            yield from self.check(assembly)
        except UnresolvedValue as error:
            problem = f"is not {error.expected}, so this cannot be checked"
            yield Finding(error.resource, error.path, problem)


def invariant(
    name: str, *, holds: str, remedy: str, severity: Severity = Severity.ERROR
) -> Callable[[Check], Invariant]:
    """Make a check an invariant; see `Invariant` for the arguments."""
    return lambda check: Invariant(name, severity, holds, remedy, check)
