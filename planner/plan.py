"""A plan: which calls a load takes, how long messages wait, what comes next, what it costs."""

from dataclasses import dataclass

from planner.cost import Cost, Function, cost_of
from planner.usage import Sizes
from stacks.capacity.choice import choose
from stacks.capacity.limits import Footprint, Limit, Vendors, limits_of
from stacks.capacity.load import Load
from stacks.capacity.processors import Processors
from stacks.capacity.queue_age import QueueAge, queue_age
from stacks.capacity.work import Work


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is planned for.

    Attributes:
        load: The messages.
        work: What one takes.
        vendors: What the vendors allow.
        function: What the calls run on.
        sizes: Of records and log.
        tenants: How many companies.
        processors: The calls, where they are not to be chosen.
    """

    load: Load
    work: Work
    vendors: Vendors
    function: Function
    sizes: Sizes
    tenants: int = 1
    processors: Processors | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The answer.

    Attributes:
        question: What was asked.
        processors: The calls: chosen, or as they were given.
        age: How long messages wait at the peak.
        limits: What holds the channel back, first what is reached first.
        cost: Of 1,000 messages.
    """

    question: Question
    processors: Processors
    age: QueueAge
    limits: tuple[Limit, ...]
    cost: Cost

    @property
    def first_limit(self) -> Limit:
        """What is reached first when more messages come."""
        return self.limits[0]

    @property
    def is_enough(self) -> bool:
        """Whether the peak is worked off as it comes, and nothing is asked too much."""
        peak = self.question.load.peak
        return self.processors.per_second >= peak and self.first_limit.per_second >= peak


def plan(question: Question) -> Plan:
    """Answer a question."""
    processors = question.processors or choose(question.load, question.work, question.vendors)
    footprint = Footprint(write_units=question.sizes.write_units, tenants=question.tenants)
    return Plan(
        question=question,
        processors=processors,
        age=queue_age(question.load, processors),
        limits=limits_of(processors, question.vendors, footprint),
        cost=cost_of(
            question.load, processors, question.function, question.sizes, question.tenants
        ),
    )
