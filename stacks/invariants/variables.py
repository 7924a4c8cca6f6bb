"""The function's environment variables, against what the runtime reads."""

from collections.abc import Iterator

from lambda_src.core.contract import (
    HANDLER,
    METRICS_NAMESPACE,
    REQUIRED_VARIABLES,
    TWILIO_BASE_URL,
    Variable,
)
from stacks.invariants.assembly import Assembly
from stacks.invariants.consumer import QUEUE, consumers, functions
from stacks.invariants.invariant import Finding, Severity, invariant

PATH = "Environment.Variables"

READ = frozenset({*Variable, METRICS_NAMESPACE})
"""What the runtime and its libraries read of what a template may set."""

LOCAL_SERVERS = frozenset({"AWS_ENDPOINT_URL", "OPENAI_BASE_URL", TWILIO_BASE_URL})
"""What leads the runtime to local servers, and keys away from their vendors."""


@invariant(
    "required-variables-are-set",
    severity=Severity.FATAL,
    holds="A function has every environment variable that the runtime requires.",
    remedy="Set the variable: the function refuses to start without it.",
)
def required_variables_are_set(assembly: Assembly) -> Iterator[Finding]:
    """They are those without a default."""
    for function in functions(assembly):
        for name in sorted(REQUIRED_VARIABLES - function.variables.keys()):
            yield Finding(function.resource, f"{PATH}.{name}", "is required and not set")


@invariant(
    "variables-are-read",
    holds="A function has no environment variable that the runtime does not read.",
    remedy="Take the variable out, or correct its name: what it says has no effect.",
)
def variables_are_read(assembly: Assembly) -> Iterator[Finding]:
    """Nor one for local servers only. What another handler reads of its own is its matter."""
    for function in functions(assembly):
        is_ours = function.resource.value("Handler") == HANDLER
        unread = function.variables.keys() - READ
        for name in sorted(unread if is_ours else unread & LOCAL_SERVERS):
            yield Finding(function.resource, f"{PATH}.{name}", "is not read by the runtime")


@invariant(
    "variables-are-valid",
    severity=Severity.FATAL,
    holds="The runtime would start with the values of the function's environment variables.",
    remedy="Correct the value: the function refuses to start with it.",
)
def variables_are_valid(assembly: Assembly) -> Iterator[Finding]:
    """The runtime's own reading of its settings is what decides."""
    for function in functions(assembly):
        if function.refusal:
            problem = f"are not what the runtime starts with: {function.refusal}"
            yield Finding(function.resource, PATH, problem)


@invariant(
    "heartbeat-beats-on-its-queue",
    severity=Severity.FATAL,
    holds="QUEUE_URL is that of the queue which feeds the function.",
    remedy="Set QUEUE_URL from the queue that the mapping reads.",
)
def heartbeat_beats_on_its_queue(assembly: Assembly) -> Iterator[Finding]:
    """The heartbeat cannot keep messages of another queue invisible."""
    for consumer in consumers(assembly):
        function = consumer.function.resource
        url = function.value(f"{PATH}.{Variable.QUEUE_URL}")
        if url is None or not consumer.function.is_processor:
            continue
        if assembly.referred(function.template, url, QUEUE) is not consumer.queue:
            problem = f"is not the URL of {consumer.queue.logical_id}, which feeds the function"
            yield Finding(function, f"{PATH}.{Variable.QUEUE_URL}", problem)
