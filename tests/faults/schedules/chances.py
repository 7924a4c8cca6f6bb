"""Rules for the state machine: what may be decided next, and when."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.faults.schedules.steps import Step

if TYPE_CHECKING:
    from tests.faults.schedules.machine import Schedules

TEMPERS = ("kill", "trouble", "outage", "lag", "secret", "duplicate", "slow", "beat")
"""What a schedule may do without, so that the rest has it to itself."""

Drawn = st.SearchStrategy[Any]
When = Callable[["Schedules"], bool]


def steps(when: When, make: Callable[..., tuple[Step, ...]], **chances: Drawn) -> Any:
    """A rule that does some steps, whenever something holds.

    All rules have one name for Hypothesis, which switches rules off by name in most runs: without
    a delivery, or without work, there would be no schedule. `TEMPERS` do that for what goes wrong.
    """

    def step(machine: "Schedules", **drawn: Any) -> None:
        for made in make(**drawn):
            machine.do(made)

    a_rule: Any = rule  # its overloads know no keywords that are not known by name
    return precondition(when)(a_rule(**chances)(step))


def action(name: str, when: When, **chances: Drawn) -> Any:
    """A rule that does one action of the universe, whenever something holds."""
    return steps(
        when, lambda **drawn: (Step(name, tuple(drawn[part] for part in chances)),), **chances
    )


def working(temper: str = "") -> When:
    """Whether a container is at work, in a schedule of that temper."""

    def is_at_work(machine: "Schedules") -> bool:
        return machine.busy > 0 and temper not in machine.lacks

    return is_at_work
