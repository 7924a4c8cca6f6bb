"""Processor functions and their event source mappings, with the settings that the runtime reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from lambda_src.core.contract import HANDLER, REQUIRED_VARIABLES, Variable
from lambda_src.core.settings import ConfigurationError, Settings
from stacks.invariants.assembly import FUNCTION, MAPPING, QUEUE, Assembly, Resource

VARIABLES = "Environment.Variables"
"""The path of a function's environment variables."""

DEPLOYED = "resolved-at-deployment"
"""Placeholder for the value of a variable that is a reference."""


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
        """Its timeout in seconds; Lambda's default is 3."""
        return self.resource.integer("Timeout", 3) or 0

    @cached_property
    def variables(self) -> dict[str, str]:
        """Its environment variables."""
        given = self.resource.value(VARIABLES, {})
        return {
            name: DEPLOYED if isinstance(value, Mapping | list) else str(value)
            for name, value in given.items()
        }

    @property
    def settings(self) -> Settings | None:
        """The runtime's settings; None if it rejects the variables, or for another runtime."""
        return None if self.settings_error or not self.is_processor else self._read()

    @cached_property
    def settings_error(self) -> str:
        """The runtime's error about the variables that are set; empty: there is none."""
        try:
            self._read()
        except ConfigurationError as error:
            return str(error)
        return ""

    def _read(self) -> Settings:
        required = {str(name): DEPLOYED for name in REQUIRED_VARIABLES}
        return Settings.from_environment(required | self.variables)


@dataclass(frozen=True, eq=False)
class Consumer:
    """An event source mapping with its queue and its function."""

    mapping: Resource
    function: Function
    queue: Resource
    dead_letter_queue: Resource | None

    @property
    def visibility_timeout(self) -> int:
        """The queue's visibility timeout in seconds; by default 30."""
        return self.queue.integer("VisibilityTimeout", 30) or 0

    @property
    def max_receive_count(self) -> int | None:
        """Deliveries after which a message moves to the dead-letter queue; None: unlimited."""
        return self.queue.integer("RedrivePolicy.maxReceiveCount")

    @property
    def batch_size(self) -> int:
        """Maximum number of messages of an invocation; by default 10."""
        return self.mapping.integer("BatchSize", 10) or 0

    @property
    def maximum_concurrency(self) -> int | None:
        """Maximum number of concurrent invocations; None: as many as the account allows."""
        return self.mapping.integer("ScalingConfig.MaximumConcurrency")


def processor_functions(assembly: Assembly) -> Iterator[Function]:
    """Yield the checked functions that run our runtime."""
    found = (Function(resource) for resource in assembly.resources(FUNCTION))
    return (function for function in found if function.is_processor)


def consumers(assembly: Assembly) -> Iterator[Consumer]:
    """Yield the checked mappings whose queue and function are in the assembly."""
    for mapping in assembly.resources(MAPPING):
        template = mapping.template
        queue = assembly.resolve(template, mapping.value("EventSourceArn"), QUEUE)
        function = assembly.resolve(template, mapping.value("FunctionName"), FUNCTION)
        if queue and function:
            target = queue.value("RedrivePolicy.deadLetterTargetArn")
            dead_letter_queue = assembly.resolve(queue.template, target, QUEUE)
            yield Consumer(mapping, Function(function), queue, dead_letter_queue)


def retention(queue: Resource) -> int:
    """Return a queue's retention in seconds; by default 4 days."""
    return queue.integer("MessageRetentionPeriod", 345_600) or 0
