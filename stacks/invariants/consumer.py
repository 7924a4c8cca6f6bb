"""A function that is fed from a queue: the parts of it that have to agree with each other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from lambda_src.core.contract import HANDLER, REQUIRED_VARIABLES, Variable
from lambda_src.core.settings import ConfigurationError, Settings
from stacks.invariants.assembly import Assembly, Resource

MAPPING = "AWS::Lambda::EventSourceMapping"
FUNCTION = "AWS::Lambda::Function"
QUEUE = "AWS::SQS::Queue"

DEPLOYED = "resolved-at-deployment"
"""Stands for a variable's value that is a reference: there will be one, nobody knows which."""


@dataclass(frozen=True, eq=False)
class Function:
    """A function of the assembly."""

    resource: Resource

    @property
    def is_processor(self) -> bool:
        """Whether the function runs our runtime."""
        return self.resource.value("Handler") == HANDLER or Variable.CHANNEL in self.variables

    @property
    def timeout(self) -> int:
        """For how many seconds it may run; Lambda's default is 3."""
        return self.resource.whole("Timeout", 3) or 0

    @cached_property
    def variables(self) -> dict[str, str]:
        """Its environment variables."""
        given = self.resource.value("Environment.Variables", {})
        return {name: _text(value) for name, value in given.items()}

    @property
    def settings(self) -> Settings | None:
        """What our runtime makes of the variables; None if it would refuse them, or is not ours."""
        return None if self.refusal or not self.is_processor else self._read()

    @cached_property
    def refusal(self) -> str:
        """What our runtime would say against the variables that are set; empty: nothing."""
        try:
            self._read()
        except ConfigurationError as refused:
            return str(refused)
        return ""

    def _read(self) -> Settings:
        required = {str(name): DEPLOYED for name in REQUIRED_VARIABLES}
        return Settings.from_environment(required | self.variables)


@dataclass(frozen=True, eq=False)
class Consumer:
    """An event source mapping, the queue that it reads and the function that it calls."""

    mapping: Resource
    function: Function
    queue: Resource
    dead_letters: Resource | None

    @property
    def visibility(self) -> int:
        """Seconds for which the queue hides a message that was received; by default 30."""
        return self.queue.whole("VisibilityTimeout", 30) or 0

    @property
    def max_receive_count(self) -> int | None:
        """Deliveries after which a message becomes a dead letter; None: without end."""
        return self.queue.whole("RedrivePolicy.maxReceiveCount")

    @property
    def batch_size(self) -> int:
        """Messages that one call of the function gets at most; by default 10."""
        return self.mapping.whole("BatchSize", 10) or 0

    @property
    def maximum_concurrency(self) -> int | None:
        """Calls of the function at once; None: as many as the account allows."""
        return self.mapping.whole("ScalingConfig.MaximumConcurrency")


def functions(assembly: Assembly) -> Iterator[Function]:
    """Yield the guarded functions that run our runtime."""
    found = (Function(resource) for resource in assembly.of(FUNCTION))
    return (function for function in found if function.is_processor)


def consumers(assembly: Assembly) -> Iterator[Consumer]:
    """Yield the guarded mappings whose queue and function stand in the assembly."""
    for mapping in assembly.of(MAPPING):
        template = mapping.template
        queue = assembly.referred(template, mapping.value("EventSourceArn"), QUEUE)
        function = assembly.referred(template, mapping.value("FunctionName"), FUNCTION)
        if queue and function:
            target = queue.value("RedrivePolicy.deadLetterTargetArn")
            dead_letters = assembly.referred(queue.template, target, QUEUE)
            yield Consumer(mapping, Function(function), queue, dead_letters)


def retention(queue: Resource) -> int:
    """Return for how many seconds a queue keeps a message; by default 4 days."""
    return queue.whole("MessageRetentionPeriod", 345_600) or 0


def _text(value: object) -> str:
    return DEPLOYED if isinstance(value, Mapping | list) else str(value)
