"""Faults in the times of the runtime."""

from tests.infra.invariants.bench import changed, variable
from tests.infra.invariants.fault import Fault, fault
from tests.infra.invariants.templates import put

FUNCTION = "AWS::Lambda::Function"


def _with(planted: str, name: str, value: str, *breaks: str) -> Fault:
    """Return the row of a variable's wrong value."""
    override = put(FUNCTION, f"Environment.Variables.{name}", value)
    return fault(planted, *breaks, by_code=variable(name, value), by_override=override)


FAULTS = (
    _with(
        "heartbeat as slow as its visibility",
        "HEARTBEAT_INTERVAL_SECONDS",
        "40",
        "heartbeat-outpaces-visibility",
        "lease-outlasts-beats",
    ),
    _with(
        "heartbeat's visibility that one lost beat ends",
        "HEARTBEAT_VISIBILITY_SECONDS",
        "50",
        "heartbeat-outpaces-visibility",
        "lease-ends-before-visibility",
    ),
    _with(
        "lease shorter than the heartbeat keeps up",
        "LEASE_SECONDS",
        "75",
        "lease-outlasts-beats",
    ),
    _with(
        "lease that outlasts the visibility",
        "LEASE_SECONDS",
        "89",
        "lease-ends-before-visibility",
    ),
    _with(
        "OpenAI's timeout beyond the function's",
        "OPENAI_TIMEOUT_SECONDS",
        "120",
        "vendors-fit-the-function",
    ),
    _with(
        "Twilio's timeout beyond the function's",
        "TWILIO_TIMEOUT_SECONDS",
        "60",
        "vendors-fit-the-function",
    ),
    _with(
        "a batch worked on in two rounds that do not fit",
        "MAX_CONCURRENCY",
        "5",
        "vendors-fit-the-function",
    ),
    fault(
        "function's timeout below the vendors'",
        "vendors-fit-the-function",
        by_code=changed(function_timeout_seconds=120),
        by_override=put(FUNCTION, "Timeout", 120),
    ),
)
